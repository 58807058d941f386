"""The parts of the `simulate` command: who is compared, which statistics, and how they are shown."""
