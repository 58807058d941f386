"""What a start checks before Ray runs, and how long a start may take."""
