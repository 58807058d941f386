"""How long it takes, and how much memory: stages of a decision, the simulated world, evaluation of long logs."""
