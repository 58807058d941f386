"""Models, and the policies that a model and an exploration make together."""
