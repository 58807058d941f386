"""Reports: the result of an evaluation, as values and as a page."""
