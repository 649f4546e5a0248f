"""A configuration on disk, and a third party's connectors beside our own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

import pytest
from config_folder import Folder

from mombus.config import kinds

FAMILIES = ("erp", "mes", "plc", "cmms", "qms", "wms", "bi")


@pytest.fixture(autouse=True)
def third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    """`erp.acme`, `mes.acme` and so on are installed, and two that can't be loaded."""
    theirs = [_entry(f"{family}.acme", "third_party_connectors:Acme") for family in FAMILIES]
    theirs += [
        _entry("acme", "third_party_connectors:Acme"),
        _entry("bad.gone", "third_party_connectors:Gone"),
        _entry("bad.naked", "third_party_connectors:NoConfig"),
        _entry("bad.missing", "module_that_is_not_there:Connector"),
        _entry("bad.needs", "needs_a_library:Connector"),
    ]

    def installed(*, group: str) -> EntryPoints:
        return EntryPoints([*entry_points(group=group), *theirs])

    monkeypatch.setattr(kinds, "entry_points", installed)
    kinds.load_kind.cache_clear()


def _entry(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=kinds.GROUP)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def place_of(folder: Folder) -> Callable[[str], str]:
    """`routes.yaml:line:column` of a piece of the configuration, or of what follows the `>` in it."""

    def place(piece: str) -> str:
        before, _, after = piece.rpartition(">")
        text = (folder.path / "routes.yaml").read_text(encoding="utf-8")
        assert text.count(before + after) == 1, f"{before + after!r} is there {text.count(before + after)} times"
        index = text.index(before + after) + len(before)
        return f"routes.yaml:{text.count(chr(10), 0, index) + 1}:{index - text.rfind(chr(10), 0, index)}"

    return place
