"""The shopper: the state folded from the log, and the context that a policy sees."""
