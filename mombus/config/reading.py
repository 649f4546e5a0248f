"""Reads the sections of routes.yaml into a draft, one after the other; a bad part never hides another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from canonical.objects import CATALOGUE
from connectors.connector import ConfigError, Surroundings
from mombus.config.aliases import alias_table
from mombus.config.calendar import Shifts
from mombus.config.closing import closing
from mombus.config.document import Items, Node, Scalar, Table, read
from mombus.config.equipment import read_equipment
from mombus.config.finding import did_you_mean
from mombus.config.kinds import KindError, load_kind
from mombus.config.model import Bus, Http, Ownership, Plant, Route, System, Traces
from mombus.config.rate import per_second
from mombus.config.sections import COMMON_KEYS, PlantSection, SystemSection
from mombus.config.validation import Validation, locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from canonical.isa95.work import WorkCalendar
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings
    from mombus.config.needs import Needs
    from mombus.config.substitution import Substitution

MAX_FILE = 20_000_000
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class Reading:
    """Fills a draft from its nodes. `files` are the files that the configuration names."""

    def __init__(self, draft: Draft, findings: Findings, substitution: Substitution, needs: Needs) -> None:
        self._draft, self._findings, self._substitution = draft, findings, substitution
        self._validation = Validation(findings, substitution, needs)
        self.files: list[str] = []

    def read(self) -> None:
        """Read everything that can be read."""
        root = self._draft.root
        if "plant" in root.nodes and (table := self._section("plant")) is not None:
            self._plant(table)
        self._draft.bus = self._validation.model(Bus, self._section("bus") or Table(root.mark), "bus")
        self._draft.http = self._validation.model(Http, self._section("http") or Table(root.mark), "http")
        self._draft.traces = self._validation.model(Traces, self._section("traces") or Table(root.mark), "traces")
        systems = self._section("systems") or Table(root.mark)
        self._draft.declared = frozenset(systems.nodes)
        self._objects(self._section("objects"))
        for name, node in systems.nodes.items():
            self._system(name, node, systems)
        self._routes(root.nodes.get("routes"))
        self._aliases(self._section("aliases"))

    def _section(self, name: str) -> Table | None:
        node = self._draft.root.nodes.get(name)
        return None if node is None or _empty(node) else self._as_table(node, name)

    def _as_table(self, node: Node, path: str) -> Table | None:
        if isinstance(node, Table):
            return node
        self._findings.error(node.mark, path, "expected keys and values")
        return None

    def _plant(self, table: Table) -> None:
        section = self._validation.model(PlantSection, table, "plant")
        if section is None:
            return
        equipment = self._file(table.nodes["equipment"], "plant.equipment") if section.equipment else None
        self._draft.plant = Plant(
            enterprise=section.enterprise, site=section.site, timezone=section.timezone,
            equipment=read_equipment(*equipment, self._findings) if equipment else (),
            calendar=self._calendar(table.nodes["calendar"], section.timezone) if section.calendar else None,
        )  # fmt: skip

    def _calendar(self, node: Node, timezone: ZoneInfo) -> WorkCalendar | None:
        file = self._file(node, "plant.calendar")
        table = read(*file, self._findings) if file else None
        shifts = self._validation.model(Shifts, table, "") if table else None
        return shifts.calendar(timezone) if shifts else None

    def _file(self, node: Node, path: str) -> tuple[bytes, str] | None:
        """The content and name of a file that the configuration names."""
        text = node.text if isinstance(node, Scalar) else ""
        file: Path = self._draft.folder / text
        try:
            if file.stat().st_size > MAX_FILE:
                self._findings.error(node.mark, path, f"{file} is larger than {MAX_FILE} bytes")
                return None
            data = file.read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            hint = "paths start at the configuration file's folder"
            self._findings.error(node.mark, path, f"{file} can't be read: {reason}", hint)
            return None
        self.files.append(str(file))
        return data, str(file)

    def _system(self, name: str, node: Node, systems: Table) -> None:
        path = f"systems.{name}"
        table = self._as_table(node, path)
        if not _NAME.fullmatch(name):
            self._findings.error(
                systems.keys[name], path, f"'{name}' is no name for a system",
                "use a-z, 0-9, '-' and '_', a letter first, at most 32",
            )  # fmt: skip
        elif table is not None:
            self._connector(name, table, path)

    def _connector(self, name: str, table: Table, path: str) -> None:
        own = _without(table, COMMON_KEYS)
        common = self._validation.model(SystemSection, _only(table, (*COMMON_KEYS, "connector")), path)
        if common is None:
            return
        try:
            kind = load_kind(common.connector)
        except KindError as error:
            message, _, hint = str(error).partition("; ")
            self._findings.error(table.nodes["connector"].mark, f"{path}.connector", message, hint)
            return
        config = self._validation.model(kind.Config, own, path, link_local=common.allow_link_local)
        if config is None:
            return
        self._draft.systems[name] = System(
            name=name, config=config, decides=common.decides, contact=common.contact, spool=common.spool,
            closed=tuple(closing(text) for text in common.closed), serialise_by=common.serialise_by,
            rate_per_s=per_second(common.rate) if common.rate else None, lacking=common.lacking,
            calm=common.calm, shards=common.shards,
        )  # fmt: skip
        try:
            self._draft.connectors[name] = kind(config, self._surroundings(name))
        except ConfigError as error:
            found = locate(table, tuple(error.field.split(".")) if error.field else ())
            self._findings.error(found.mark, ".".join((path, *map(str, found.path))), str(error))
        except Exception as broken:  # noqa: BLE001 - one connector's bug must not hide the findings about the others
            message = f"connector '{common.connector}' can't be made: {type(broken).__name__}: {broken}"
            self._findings.error(table.mark, path, message, "this is a mistake in the connector; tell its maintainer")

    def _surroundings(self, name: str) -> Surroundings:
        plant = self._draft.plant
        owns = frozenset(ownership.object for ownership, _ in self._draft.objects if ownership.owner == name)
        return Surroundings(
            system=name, site=plant.site if plant else "site", timezone=plant.timezone if plant else ZoneInfo("UTC"),
            folder=str(self._draft.folder), owns=owns,
        )  # fmt: skip

    def _objects(self, table: Table | None) -> None:
        if table is None:
            return
        self._draft.complete = True
        for name, node in table.nodes.items():
            if name not in CATALOGUE or name == "gap":
                self._unknown_object(table, name)
                continue
            scoped = list(enumerate(node.nodes)) if isinstance(node, Items) else [(None, node)]
            for index, inner in scoped:
                self._ownership(name, index, inner)

    def _ownership(self, name: str, index: int | None, node: Node) -> None:
        path = f"objects.{name}" if index is None else f"objects.{name}[{index}]"
        table = self._as_table(node, path)
        made = self._validation.model(Ownership, table, path, {"object": name}) if table else None
        if made is None:
            self._draft.complete = False
        else:
            self._draft.objects.append((made, ("objects", name) if index is None else ("objects", name, index)))

    def _unknown_object(self, table: Table, name: str) -> None:
        mark = table.keys[name]
        if name == "gap":
            self._findings.error(mark, "objects", "'gap' is every system's own", "leave it out")
        else:
            hint = did_you_mean(name, CATALOGUE) or "docs/objects.md lists them"
            self._findings.error(mark, "objects", f"there is no data object '{name}'", hint)

    def _routes(self, node: Node | None) -> None:
        if node is None or _empty(node):
            return
        if not isinstance(node, Items):
            self._findings.error(node.mark, "routes", "expected a list", "start each route with '- '")
            return
        for index, inner in enumerate(node.nodes):
            table = self._as_table(inner, f"routes[{index}]")
            route = self._validation.model(Route, table, f"routes[{index}]") if table else None
            if route is not None:
                self._draft.routes.append((route, ("routes", index)))

    def _aliases(self, table: Table | None) -> None:
        for system, object_, node in self._alias_nodes(table):
            rows = alias_table(node, f"aliases.{system}.{object_}", self._file, self._findings)
            self._draft.aliases.setdefault(system, {})[object_] = rows

    def _alias_nodes(self, table: Table | None) -> Iterator[tuple[str, str, Node]]:
        for system, node in table.nodes.items() if table else ():
            objects = self._as_table(node, f"aliases.{system}")
            for object_, inner in objects.nodes.items() if objects else ():
                yield system, object_, inner


def _empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _without(table: Table, keys: tuple[str, ...]) -> Table:
    kept = {key: node for key, node in table.nodes.items() if key not in keys}
    return Table(table.mark, kept, table.keys)


def _only(table: Table, keys: tuple[str, ...]) -> Table:
    kept = {key: node for key, node in table.nodes.items() if key in keys}
    return Table(table.mark, kept, table.keys)
