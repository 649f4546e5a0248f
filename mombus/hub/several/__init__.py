"""Several hubs with one journal: who does what, and who knows it."""
