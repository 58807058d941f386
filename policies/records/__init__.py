"""Records: the rows of the log and the request, as they are stored."""
