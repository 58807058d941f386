"""Reports: what a shop is told of what happened. Begin to read at `Reporting.report`."""
