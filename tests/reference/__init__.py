"""An independent check that a log keeps every rule, written from the text of the rules and not from their code.

The audit reads the log row by row in plain Python. It shares nothing with `policies` except the row types, so a
mistake in `policies` cannot hide itself here. Also here, for tests and benchmarks: small worlds with known truth
(``worlds.py``), and the parts of a stress run (``chaos/``).
"""
