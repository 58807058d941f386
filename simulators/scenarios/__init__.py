"""Scenarios: what one world is, its numbers with their sources, and the rules of its reports."""
