"""Clients that others generate from docs/openapi.json: generated, type-checked, and tried on the running service."""
