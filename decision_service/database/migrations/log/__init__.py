"""The revisions of the log's schema, in order."""
