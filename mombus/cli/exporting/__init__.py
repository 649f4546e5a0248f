"""Messages as tables: columns of what is known about them and of their bodies, written as CSV or Parquet."""
