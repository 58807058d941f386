"""Two versions in turns: this one and an older checkout, round by round, each in a process of its own."""
