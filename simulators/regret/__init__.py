"""Regret: what policies earn beside the rule and the planner, over seeds and worlds. Begin to read at `Setup`."""
