"""Logs: logged decisions, and the formats in which they are stored."""
