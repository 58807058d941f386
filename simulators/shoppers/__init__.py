"""Simulated shoppers: their traits, when they are present, their mental state, and how they respond."""
