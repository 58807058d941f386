"""Costs that depend on the log: append, fold, learning, report and restart."""
