"""Catalogues: the file, the example shop, and the versions that the log keeps."""
