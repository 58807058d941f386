"""The ingress: a HAProxy of our own at the public address, in front of Serve's HAProxy.

Serve's HAProxy starts late, restarts, and answers in words of its own while it knows no routes. The ingress lives from
the first second of a start to the last second of a stop. Decision record 0015 has the reasons.
"""
