"""Explorations turn scores into distributions. Each has a file here, and its name in `registry.EXPLORATIONS`."""
