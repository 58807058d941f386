"""Diagnostics: what a log says about how far an estimate on it can be trusted."""
