"""The hub's small truth on disk: what is in flight, what was done, what waits and why, who asked, who disagrees."""
