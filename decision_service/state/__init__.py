"""The state store: a projection of the log."""
