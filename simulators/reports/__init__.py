"""Reports: how a shop learns of events, by the rules of its world. Begin to read at `Reporting.report`."""
