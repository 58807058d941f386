"""Shops decide about triggers, within the guardrails: learned policy, rule, planner."""
