"""Agents for the environments: policies that do not learn, to compare with, and an example of one that learns."""
