"""A folder with a configuration that has no findings."""

from __future__ import annotations

from pathlib import Path

from mombus.config.loader import Loaded, load

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
