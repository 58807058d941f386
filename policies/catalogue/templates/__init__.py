"""Templates: what they may hold, what they need, and how they are filled."""
