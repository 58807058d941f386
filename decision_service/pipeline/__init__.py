"""The path of a decision: requests that arrive while a batch is under way form the next one."""
