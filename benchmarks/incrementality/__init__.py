"""How many of the credited orders sends have brought: the estimate beside the truth of simulated worlds."""
