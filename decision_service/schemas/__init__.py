"""Schemas: what goes over the wire, requests, answers and problems."""
