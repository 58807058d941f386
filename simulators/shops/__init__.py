"""Shops that decide for simulated shoppers: learned policy, rule, oracle, broadcasts."""
