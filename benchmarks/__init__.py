"""Benchmarks: commands that measure what is built; ``python -m benchmarks --help`` lists them."""
