"""A configuration on disk, and a third party's connectors beside our own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

import pytest

from mombus.config import kinds
from mombus.config.loader import Loaded, load

FAMILIES = ("erp", "mes", "plc", "cmms", "qms", "wms", "bi")
BASE = """\
version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris, equipment: equipment.csv}
systems:
  erp: {connector: erp.acme, url: "http://erp", says: [production_order], takes: [production_response]}
  mes: {connector: mes.acme, url: "http://mes", says: [production_response, downtime], takes: [production_order]}
  cmms: {connector: cmms.acme, url: "http://cmms", takes: [downtime]}
  line1: {connector: plc.acme, url: "opc.tcp://line", says: [count]}
objects:
  production_order: {owner: erp}
  production_response: {owner: mes}
  downtime: {owner: mes}
  count: {owner: line1}
routes:
  - {object: production_order, to: mes}
  - {object: production_response, to: erp, effect: posted, within: 15m}
  - {object: downtime, to: cmms, when: "body.reason.category = 'mechanical'"}
"""
EQUIPMENT = """\
id,parent,level
LYON,,Site
LINE1,LYON,ProductionLine
FILLER1,LINE1,WorkUnit
LINE2,LYON,ProductionLine
WH1,LYON,StorageZone
"""


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


class Folder:
    """A folder with a configuration that has no findings, until a test changes it."""

    def __init__(self, path: Path) -> None:
        self.path, self.environ = path, dict[str, str]()
        self.write("routes.yaml", BASE)
        self.write("equipment.csv", EQUIPMENT)

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def change(self, old: str, new: str) -> None:
        """Replace a piece of routes.yaml that is there exactly once."""
        text = (self.path / "routes.yaml").read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        self.write("routes.yaml", text.replace(old, new))

    def load(self, *overlays: str) -> Loaded:
        return load([self.path / name for name in ("routes.yaml", *overlays)], self.environ)

    def findings(self, *overlays: str) -> list[str]:
        """The findings as printed, without the folder."""
        return [str(finding).replace(f"{self.path}/", "") for finding in self.load(*overlays).findings]


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
