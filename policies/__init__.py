"""Everything that decides: pure, without I/O or a clock."""
