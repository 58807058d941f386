"""Models and explorations, which together make a policy."""
