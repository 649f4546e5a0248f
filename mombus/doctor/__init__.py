"""Looks at all that a hub needs, before it runs or while it does, and says what to do. Begin with `doctor.py`."""
