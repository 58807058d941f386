"""Senders: they choose sends for all shoppers at once, hour by hour, without guardrails."""
