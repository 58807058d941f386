"""The SQL database: the engine, the transaction, the migrations."""
