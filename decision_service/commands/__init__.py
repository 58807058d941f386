"""Commands: requests that write to the log (decide, feedback, activate, preferences, erase)."""
