"""Replays of real purchases with simulated reactions."""
