"""The projection: how log rows reach the state store, and how the store is rebuilt from the log."""
