"""Shops that decide for simulated shoppers: learned policy, rule, planner, broadcasts."""
