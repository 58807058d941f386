"""The append-only log: the truth that everything else is a projection of."""
