"""Experiments: shops in a world, run side by side, counted and compared."""
