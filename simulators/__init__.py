"""Simulated shoppers, and real purchases replayed among them: worlds with known truth."""
