"""The HTTP interface: schemas and routes."""
