"""The report: what the service did and what came of it, straight from the log."""
