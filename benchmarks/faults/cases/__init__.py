"""The faults. Every module here has one `FAULT`; a new module needs no entry elsewhere."""
