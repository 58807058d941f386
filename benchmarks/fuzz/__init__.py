"""Random requests of schemathesis to every endpoint of the running service: see `benchmarks.fuzz.__main__`."""
