"""Learning: from log rows to rewards, interactions and the next model."""
