"""Profiles: the declaration of one product's API, kept beside the class that pins it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from connectors.protocols.rest.settings import Wire


@cache
def profile(package: str, name: str = "rest.yaml") -> Wire:
    """The wire declared in a package's YAML file, read once."""
    import yaml  # noqa: PLC0415 - only where a profile is used

    return Wire.model_validate(yaml.safe_load((files(package) / name).read_text("utf-8")))
