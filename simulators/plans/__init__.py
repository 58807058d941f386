"""Plans of the planner: what a consent is worth in a scenario, and the prices. Found by search, and stored."""
