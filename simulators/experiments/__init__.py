"""Experiments: run shops in a world, count their outcomes, and compare them."""
