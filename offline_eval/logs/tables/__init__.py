"""Tables: Parquet and CSV, read and written batch by batch; the only door to Arrow."""
