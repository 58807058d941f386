"""Benchmarks: commands that measure the project; ``python -m benchmarks --help`` lists them.

``speed/`` measures time and memory, ``learning/`` what is learned, ``regret/`` compares policies with the rule and the
planner, ``evaluation/`` measures whether offline evaluation is right.
``calibration/`` fits the simulated world to published rates, ``worlds/`` measures the family of worlds, and ``faults/``
breaks the running service. The commands of a room are the functions of its ``commands.py``; ``__main__.py`` lists them.
A command imports its benchmark when it runs, so that the help appears at once.
"""
