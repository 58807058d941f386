"""Shops: what decides for simulated shoppers (learned policy, rule, oracle, broadcasts)."""
