"""The world: time, visits, triggers, messages on their way, orders, and the known truth."""
