"""Rules: which joint actions are eligible, and why the others are not."""
