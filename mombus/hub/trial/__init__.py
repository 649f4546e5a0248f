"""Plays route tests: a hub with its broker, journal, intake and inboxes, and stand-ins for the systems."""
