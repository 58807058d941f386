"""Tables: Parquet and CSV, read and written batch by batch. The only modules that import Arrow."""
