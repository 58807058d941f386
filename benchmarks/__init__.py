"""Benchmarks: commands that measure the project; ``python -m benchmarks --help`` lists them.

``speed/`` measures time and memory, ``learning/`` what is learned, ``evaluation/`` whether offline evaluation is right.
``chaos.py`` stresses the whole service, and ``calibration.py`` fits the simulated world to published rates.
"""
