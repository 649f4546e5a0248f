"""The one delivery loop: every target's inbox, its lanes, its waiting room, one effect per message."""
