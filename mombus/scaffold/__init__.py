"""Beginnings: a plant's folder, a connector's package, a route. What they hold is in `templates/`."""
