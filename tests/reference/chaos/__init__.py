"""Chaos: many clients at once on few shoppers, under every rule, and the state store killed under their hands."""
