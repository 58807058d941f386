"""Violations that are planted in a log by hand: the audit must find each."""
