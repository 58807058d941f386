"""Logs: where logged decisions come from, and the formats they are stored in."""
