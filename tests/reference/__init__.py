"""The audit: an independent check that a log keeps every rule, written from the rules' text and not from their code.

It replays the log row by row in plain Python and shares nothing with `policies` but the rows themselves, so that
a mistake there cannot hide itself here.
"""
