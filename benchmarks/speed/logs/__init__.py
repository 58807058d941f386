"""What grows with the log: append, fold, learning, report and restart."""
