"""The truth: the expected effect of every joint action, from the probabilities that the world draws from.

Begin to read at `simulators.truth.truth`. `sight_ahead` says when messages would be seen, and `reactions_ahead` how
shoppers would react then; `prospects` are the sums over the hours.
"""
