"""Reads files of route tests: every mistake in them is a finding at its own place, as in routes.yaml."""

from __future__ import annotations

import base64
import binascii
import json
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from canonical.objects import CATALOGUE
from mombus.config.document import Items, Node, Scalar, Table
from mombus.config.document import read as read_document
from mombus.config.finding import Findings, Mark, did_you_mean
from mombus.config.loader import load
from mombus.config.needs import NO_SECRET
from mombus.config.substitution import Substitution
from mombus.config.validation import Validation, locate
from mombus.trial import SUFFIX, wires
from mombus.trial.cases import Case, CaseFile, Given
from mombus.trial.mocks import Line, media_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mombus.config.finding import Finding
    from mombus.config.model import Config
    from mombus.trial.mocks import Mock

MOST_BYTES = 20_000_000
MOST_NAMED = 3
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One given thing with its content: the body as JSON, empty without one, or the document's bytes."""

    given: Given
    content: bytes


@dataclass(frozen=True, slots=True)
class Test:
    """One case of a file, ready to run. `said` are the given things of each step, `played` its mocks by system."""

    __test__ = False

    case: Case
    said: tuple[tuple[Spoken, ...], ...]
    file: str
    table: Table
    place: Place
    played: tuple[Mapping[str, tuple[Line, ...]], ...] = ()

    def mark(self, *place: str | int) -> Mark:
        """Where a part of the case stands, as far as it can be followed."""
        return locate(self.table, (*self.place, *place)).key

    def step_place(self, step: int) -> Place:
        """Where a step stands in the case."""
        return ("steps", step) if self.case.steps else ()


@dataclass(frozen=True, slots=True)
class TestFile:
    """A file of route tests with its configuration; `config` is None if one of the findings is an error.

    `tested` are the files of that configuration.
    """

    __test__ = False

    path: Path
    config: Config | None
    tests: tuple[Test, ...]
    findings: tuple[Finding, ...]
    tested: tuple[Path, ...] = ()


def found(paths: Sequence[Path]) -> list[Path]:
    """The files that are meant: each file itself, of a folder every `*.test.yaml` in it. Raises FileNotFoundError."""
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            files |= dict.fromkeys(sorted(path.glob(f"*{SUFFIX}")))
        elif path.is_file():
            files[path] = None
        else:
            raise FileNotFoundError(f"{path} isn't there")
    return list(files)


def read(path: Path) -> TestFile:
    """A file of route tests and the configuration that it names. Never raises for what the files hold."""
    findings = Findings()
    try:
        table = read_document(path.read_bytes(), str(path), findings)
    except OSError as error:
        findings.error(Mark(str(path)), "", f"the file can't be read: {error.strerror}")
        table = None
    if table is None:
        return TestFile(path, None, (), findings.sorted())
    made = Validation(findings, Substitution(path.parent), NO_SECRET).model(CaseFile, table, "")
    if made is None:
        return TestFile(path, None, (), findings.sorted())
    tested = tuple(path.parent / name for name in made.config)
    loaded = load(tested, needs=NO_SECRET)
    reading = _Reading(path, table, findings)
    tests = tuple(reading.test(index, case) for index, case in enumerate(made.tests))
    if loaded.config is not None:
        reading.check_names(made, loaded.config)
        reading.check_wires(made, loaded.config)
        reading.check_expectations(made, loaded.config)
    config = None if findings.failed else loaded.config
    errors = () if loaded.config is not None else loaded.findings
    return TestFile(path, config, tests, (*errors, *findings.sorted()), tested)


class _Reading:
    """Reads what the models leave open: the bodies and documents that are given, and the names of systems."""

    def __init__(self, path: Path, table: Table, findings: Findings) -> None:
        self._path, self._table, self._findings = path, table, findings

    def test(self, index: int, case: Case) -> Test:
        place: Place = ("tests", index)
        said, played = [], []
        for number, step in enumerate(case.parts):
            inside: Place = (*place, "steps", number) if case.steps else place
            said.append(tuple(
                Spoken(given, self._content(given, (*inside, "given", at))) for at, given in enumerate(step.given)
            ))  # fmt: skip
            played.append({
                name: tuple(self._line(mock, (*inside, "mocks", name, at)) for at, mock in enumerate(mocks))
                for name, mocks in step.mocks.items()
            })  # fmt: skip
        return Test(case, tuple(said), str(self._path), self._table, place, tuple(played))

    def check_names(self, made: CaseFile, config: Config) -> None:
        """Every system that a case names is one of the configuration's, every object of the catalogue."""
        for place, name in _systems(made):
            if name not in config.systems:
                hint = did_you_mean(name, config.systems)
                self._error(place, f"there is no system '{name}' in {made.config[0]}", hint)
        for place, object_ in _objects(made):
            if object_ not in CATALOGUE:
                self._error(place, f"there is no data object '{object_}'", did_you_mean(object_, CATALOGUE))

    def check_wires(self, made: CaseFile, config: Config) -> None:
        """What goes over a system's wire can be said there."""
        for place, wrong, hint in wires.misfits(made, config):
            self._error(place, wrong, hint)

    def check_expectations(self, made: CaseFile, config: Config) -> None:
        """A case that expects nothing can't fail: it is told what it could expect."""
        for index, case in enumerate(made.tests):
            if any(step.expects for step in case.parts):
                continue
            names = _targets(case, config)
            hint = ", ".join(f"{name}: {{}}" for name in names[:MOST_NAMED]) or "SYSTEM: {}"
            self._error(
                ("tests", index, "name"), "it expects nothing, so that it can't fail",
                f"say what becomes of it, as in `expect: {{{hint}}}`, or `nobody_else: true`",
            )  # fmt: skip

    def _content(self, given: Given, place: Place) -> bytes:
        if given.object is not None:
            return self._body(given, place)
        try:
            if given.file is not None:
                return self._file(given.file, place)
            if given.base64 is not None:
                return base64.b64decode(given.base64, validate=True)
        except binascii.Error as error:
            self._error((*place, "base64"), f"this is no base64: {error}")
            return b""
        if given.text is not None or given.nodes is not None:
            return (given.text or "").encode()
        node = locate(self._table, (*place, "json")).node
        return json.dumps(_plain(node, numbers=True), ensure_ascii=False).encode()

    def _line(self, mock: Mock, place: Place) -> Line:
        if mock.file is not None:
            kind = mimetypes.guess_type(mock.file)[0] or "application/octet-stream"
            return Line(mock, self._file(mock.file, place), kind)
        if "body" not in mock.model_fields_set:
            return Line(mock)
        kind = media_type(mock.body)
        if isinstance(mock.body, str):
            return Line(mock, mock.body.encode(), kind)
        node = locate(self._table, (*place, "body")).node
        return Line(mock, json.dumps(_plain(node, numbers=True), ensure_ascii=False).encode(), kind)

    def _file(self, name: str, place: Place) -> bytes:
        file = self._path.parent / name
        try:
            if file.stat().st_size > MOST_BYTES:
                self._error((*place, "file"), f"{file} is larger than {MOST_BYTES} bytes")
                return b""
            return file.read_bytes()
        except OSError as error:
            hint = "paths start at this file's folder"
            self._error((*place, "file"), f"{file} can't be read: {error.strerror}", hint)
            return b""

    def _body(self, given: Given, place: Place) -> bytes:
        """The body as JSON, checked as the bus checks it; numbers are what is asked for: text where that is."""
        if given.body is None:
            if given.key is None:
                self._error(place, f"{given.object} has neither `body` nor `key`", "say which one it is")
            return b""
        short = locate(self._table, (*place, str(given.object))).path[-1:] == (given.object,)
        at: Place = (*place, str(given.object) if short else "body")
        node = locate(self._table, at).node
        model = CATALOGUE[str(given.object)].body
        values = _plain(node, numbers=False)
        for _ in range(2):
            content = json.dumps(values, ensure_ascii=False)
            try:
                model.model_validate_json(content)
            except ValidationError as error:
                wrong = error.errors(include_url=False)
                taken = [_take_as_text(one["loc"], one["type"], node, values) for one in wrong]
                if not any(taken):
                    break
            else:
                return content.encode()
        for one in wrong:
            if not _follows(one, locate(node, one["loc"]).node):
                self._wrong(model, one, at, node)
        return b""

    def _wrong(self, model: type[Any], error: Any, at: Place, node: Node) -> None:
        where = locate(node, error["loc"])
        path = ".".join(map(str, error["loc"]))
        if error["type"] == "extra_forbidden":
            hint = did_you_mean(str(error["loc"][-1]), _fields(model, error["loc"][:-1]))
            self._findings.error(where.key, self._dotted(at), f"there is no field '{path}'", hint)
            return
        message = error["msg"].removeprefix("Value error, ")
        said = f"'{path}' is missing" if error["type"] == "missing" else f"{path}: {message}" if path else message
        self._findings.error(where.mark, self._dotted(at), said, "docs/objects.md describes it")

    def _error(self, place: Place, message: str, hint: str = "") -> None:
        self._findings.error(locate(self._table, place).key, self._dotted(place), message, hint)

    @staticmethod
    def _dotted(place: Place) -> str:
        return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def _plain(node: Node, *, numbers: bool) -> Any:
    """The node as JSON values. Without `numbers` a fraction is the text that stands there: it lost no digit."""
    if isinstance(node, Table):
        return {key: _plain(inner, numbers=numbers) for key, inner in node.nodes.items()}
    if isinstance(node, Items):
        return [_plain(inner, numbers=numbers) for inner in node.nodes]
    return node.text if isinstance(node.value, float) and not numbers else node.value


def _take_as_text(place: Place, type_: str, node: Node, values: Any) -> bool:
    """A plain `4711` is a number until text is asked for; then it is what stands there."""
    found = locate(node, place)
    if type_ != "string_type" or not isinstance(found.node, Scalar) or found.node.value is None or not found.path:
        return False
    for part in found.path[:-1]:
        values = values[part]
    values[found.path[-1]] = found.node.text
    return True


def _follows(error: Any, node: Node) -> bool:
    """A list is called too short when its elements are wrong: those have findings of their own."""
    return error["type"] == "too_short" and isinstance(node, Items) and bool(node.nodes)


def _fields(model: type[Any], place: Place) -> list[str]:
    from mombus.config.needs import model_in  # noqa: PLC0415 - only where something is wrong

    for part in place:
        if isinstance(part, str) and part in model.model_fields:
            model = model_in(model.model_fields[part].annotation) or model
    return list(model.model_fields)


def _targets(case: Case, config: Config) -> list[str]:
    """The systems that routes bring to what a case gives, as far as the file tells what it is."""
    objects = {given.object for step in case.parts for given in step.given}
    routes = [route for route in config.routes if None in objects or route.object in objects]
    return list(dict.fromkeys(name for route in routes for name in route.to))


def _systems(made: CaseFile) -> Iterator[tuple[Place, str]]:
    for index, case in enumerate(made.tests):
        yield from ((("tests", index, "answers", name), name) for name in case.answers)
    for place, step in wires.steps(made):
        for key in ("mocks", "expect", "aliases"):
            yield from (((*place, key, name), name) for name in getattr(step, key))
        yield from (((*place, "retry", at), name) for at, name in enumerate(step.retry))
        for at, given in enumerate(step.given):
            named: Mapping[str, str | None] = {"from": given.source, "to": given.to}
            yield from (((*place, "given", at, key), name) for key, name in named.items() if name)


def _objects(made: CaseFile) -> Iterator[tuple[Place, str]]:
    for place, step in wires.steps(made):
        for system, learned in step.aliases.items():
            yield from (((*place, "aliases", system, name), name) for name in learned)
        for system, expected in step.expect.items():
            for at, one in enumerate(expected):
                if one.object is not None:
                    yield (*place, "expect", system, at, "object"), one.object
    for index, case in enumerate(made.tests):
        for system, answers in case.answers.items():
            for at, answer in enumerate(answers):
                if answer.object is not None:
                    yield ("tests", index, "answers", system, at, "object"), answer.object
