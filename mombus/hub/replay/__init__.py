"""History used again: sent to a target (`replays.py`), put through edited routes, or translated by a mended mapping."""
