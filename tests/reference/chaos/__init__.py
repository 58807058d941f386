"""A stress run: many clients on few shoppers under every rule, and an audit of the log afterwards."""
