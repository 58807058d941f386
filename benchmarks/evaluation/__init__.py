"""Whether offline evaluation is right: against known truths, against real logs, and against other libraries."""
