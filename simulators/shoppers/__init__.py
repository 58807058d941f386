"""Simulated shoppers: who they are, when they are present, what they feel, how they respond."""
