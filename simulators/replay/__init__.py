"""The replay: real purchases, simulated responses."""
