"""Incrementality: how many of the orders that the shop credits to sends would have come anyway.

Begin to read at `fold.IncrementalityFold`; `contrast` has the formula.
"""
