"""The real service under load: its throughput, latency and CPU time beside routes that do nothing.

``decide`` is the front door. A *load* is sent by a process of its own (`generator`), a *window* is what one load
measured, a *point* is a load with a name, and all points of a run are measured in turns.
"""
