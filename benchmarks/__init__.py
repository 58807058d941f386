"""Benchmarks: commands that measure the project; ``python -m benchmarks --help`` lists them.

``speed/`` measures time and memory, ``learning/`` what is learned, ``evaluation/`` whether offline evaluation is right.
``calibration/`` fits the simulated world to published rates, and ``chaos.py`` stresses the whole service.
"""
