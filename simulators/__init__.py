"""Simulated shoppers with known truth, and replays of real purchases.

Begin with `simulators.world.world.World.step`: it is one hour of the simulated shop.
"""
