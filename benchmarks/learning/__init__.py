"""What is learned: by the service from real purchases, and by an example agent in the environment."""
