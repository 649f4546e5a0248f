"""What people and monitors see over HTTP: one page, the API behind it, probes and metrics."""
