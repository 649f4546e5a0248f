"""Manufacturing execution systems."""
