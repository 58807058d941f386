"""Queries: requests that only read (inspector, timeline, export, report)."""
