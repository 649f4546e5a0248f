"""The connector kinds that are installed, ours and third parties', by their entry points."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from connectors.connector import Connector, ConnectorConfig

GROUP = "mombus.connectors"


class KindError(LookupError):
    """A kind of connector that isn't installed, or can't be loaded; the text says what to do."""


def kinds(ours: bool = False) -> list[str]:
    """The names of all installed kinds, in order; with `ours` those of this package only. Loads none of them."""
    return sorted(name for name, entry in _installed().items() if not ours or entry.module.startswith("connectors."))


@cache
def load_kind(name: str) -> type[Connector]:
    """The connector class of a kind.

    Raises KindError when there is none of that name (with what was probably meant), when its module needs something
    that isn't installed, and when what it names is no connector.
    """
    entry = _installed().get(name)
    if entry is None:
        raise KindError(_unknown(name))
    try:
        found = entry.load()
    except ModuleNotFoundError as missing:
        raise KindError(_missing(entry, missing)) from missing
    except (ImportError, AttributeError) as broken:
        raise KindError(f"connector '{name}' ({entry.value}) can't be loaded: {broken}") from broken
    return _checked(name, entry.value, found)


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _unknown(name: str) -> str:
    close = get_close_matches(name, kinds(), n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'?" if close else "`mombus connectors` lists them"
    return f"there is no connector '{name}'; {hint}"


def _missing(entry: EntryPoint, missing: ModuleNotFoundError) -> str:
    module = (missing.name or "").split(".")[0]
    if entry.value.startswith(f"{missing.name}") or not module:
        return f"connector '{entry.name}' names {entry.value}, which isn't installed; reinstall the package it is from"
    return f"connector '{entry.name}' needs the package '{module}', which isn't installed; pip install {module}"


def _checked(name: str, place: str, found: Any) -> type[Connector]:
    config = getattr(found, "Config", None)
    if not (isinstance(config, type) and issubclass(config, ConnectorConfig)):
        raise KindError(f"connector '{name}' ({place}) has no Config class derived from ConnectorConfig")
    if not isinstance(getattr(found, "summary", None), str):
        raise KindError(f"connector '{name}' ({place}) has no one-line summary")
    return found  # type: ignore[no-any-return]
