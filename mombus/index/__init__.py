"""The index: every message and what it refers to, for search and journeys. Derived, so it can be deleted."""
