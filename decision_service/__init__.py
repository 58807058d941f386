"""The running service: stores, serves, learns."""
