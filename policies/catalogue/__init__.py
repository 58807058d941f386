"""The catalogue: the document, its templates, its joint actions, and the rulebook compiled from it."""
