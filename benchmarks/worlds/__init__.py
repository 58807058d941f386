"""How wide the family of worlds is."""
