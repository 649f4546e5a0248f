"""The hub: every part made and wired once, by arguments, and stopped in order."""
