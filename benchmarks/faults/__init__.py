"""Faults repeated on the running service: what is done to it, the rule that must hold, and the outage.

`chaos` breaks the service while many clients use it, and audits the log.
"""
