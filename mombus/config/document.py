"""YAML 1.2 as nodes with their places: strict, bounded, nothing guessed.

`no`, `on` and `12:30:45` are texts, `010` too (an id, not eight). Duplicate keys and tags are errors, keys are texts.
Anchors work; what they expand to counts against the limits. The parser is libyaml, events only: it never recurses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from mombus.config.finding import Findings, Mark

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 2_000_000
MAX_NODES = 100_000
"""Nodes of one document, aliases expanded."""
MAX_ALIASES = 1_000
MAX_DEPTH = 60

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+(?:[eE][-+]?[0-9]{1,2})?|[eE][-+]?[0-9]{1,2})\Z")
_WORDS = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass(slots=True)
class Scalar:
    """A value; `text` is how it is spelt, `quoted` whether it can only be text."""

    mark: Mark
    text: str
    quoted: bool = False

    @property
    def value(self) -> Any:
        """By the YAML 1.2 core schema, without octal, hexadecimal, infinity and NaN, which are texts here."""
        if self.quoted:
            return self.text
        if self.text in _WORDS:
            return _WORDS[self.text]
        if _INTEGER.match(self.text):
            return int(self.text)
        return float(self.text) if _FLOAT.match(self.text) else self.text


@dataclass(slots=True)
class Items:
    """A list."""

    mark: Mark
    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """A mapping; `keys` tells where each key stands."""

    mark: Mark
    nodes: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)

    def merged(self, over: Table) -> Table:
        """This with `over` laid on it: tables merge, lists and values replace, null removes. Places are kept."""
        nodes, keys = dict(self.nodes), {**self.keys, **over.keys}
        for key, node in over.nodes.items():
            below = nodes.get(key)
            if isinstance(below, Table) and isinstance(node, Table):
                nodes[key] = below.merged(node)
            elif isinstance(node, Scalar) and node.value is None:
                nodes.pop(key, None)
            else:
                nodes[key] = node
        return Table(self.mark, nodes, keys)


Node = Scalar | Items | Table


class DocumentError(Exception):
    """The text is no YAML that we take; the finding is already noted."""


def read(data: bytes, file: str, findings: Findings) -> Table | None:
    """The document as a table, or None after noting in `findings` why there is none. An empty file is empty."""
    try:
        return _Composer(file, findings).document(data)
    except DocumentError:
        return None
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = Mark(file, place.line + 1, place.column + 1) if place else Mark(file)
        findings.error(mark, "", f"this is no YAML: {error.problem or error.context}", "check indentation and quotes")
    except yaml.YAMLError as error:
        findings.error(Mark(file), "", f"this is no YAML: {error}")
    return None


class _Composer:
    """Builds nodes from the parser's events."""

    def __init__(self, file: str, findings: Findings) -> None:
        self._file, self._findings = file, findings
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._stack: list[Items | Table] = []
        self._pending: list[tuple[str, Mark] | None] = []
        self._starts: list[tuple[int, str | None]] = []
        self._count = self._aliases = 0
        self._root: Node | None = None

    def document(self, data: bytes) -> Table:
        if len(data) > MAX_BYTES:
            self._refuse(Mark(self._file), f"the file is larger than {MAX_BYTES} bytes")
        documents = 0
        for event in self._events(data):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(self._mark(event), "the file holds more than one document", "one file, one document")
            elif isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._end()
        return self._table()

    def _events(self, data: bytes) -> Iterator[Any]:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._refuse(Mark(self._file, line), "the file is not UTF-8", "save it as UTF-8")
        return iter(yaml.parse(text, Loader=yaml.CBaseLoader))

    def _table(self) -> Table:
        root = self._root
        if root is None or (isinstance(root, Scalar) and root.value is None):
            return Table(Mark(self._file))
        if not isinstance(root, Table):
            self._refuse(root.mark, "the file must hold keys and values", "start with `version: 1`")
        return root

    def _node(self, event: Any) -> None:
        mark = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            self._place(self._alias(str(event.anchor), mark), mark)
            return
        if event.tag is not None:
            self._refuse(mark, f"tags such as {event.tag} are not taken", "leave it out, quote what is text")
        self._grow(1, mark)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, mark)
        else:
            self._open(Table(mark) if isinstance(event, yaml.MappingStartEvent) else Items(mark), event.anchor)

    def _scalar(self, event: Any, mark: Mark) -> None:
        scalar = Scalar(mark, event.value, quoted=bool(event.style))
        if event.anchor:
            self._anchors[event.anchor] = (scalar, 1)
        self._place(scalar, mark)

    def _open(self, node: Items | Table, anchor: str | None) -> None:
        self._place(node, node.mark)
        self._stack.append(node)
        self._pending.append(None)
        self._starts.append((self._count, anchor))
        if len(self._stack) > MAX_DEPTH:
            self._refuse(node.mark, f"the file is nested deeper than {MAX_DEPTH}")

    def _end(self) -> None:
        node = self._stack.pop()
        self._pending.pop()
        start, anchor = self._starts.pop()
        if anchor:
            self._anchors[anchor] = (node, self._count - start + 1)

    def _alias(self, anchor: str, mark: Mark) -> Node:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            self._refuse(mark, f"more than {MAX_ALIASES} aliases")
        if anchor not in self._anchors:
            self._refuse(mark, f"no anchor '&{anchor}' stands before this alias")
        node, nodes = self._anchors[anchor]
        self._grow(nodes, mark)
        return node

    def _grow(self, nodes: int, mark: Mark) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            self._refuse(mark, f"more than {MAX_NODES} nodes, aliases expanded", "split the file or use a CSV file")

    def _place(self, node: Node, mark: Mark) -> None:
        if not self._stack:
            self._root = node
        elif isinstance(parent := self._stack[-1], Items):
            parent.nodes.append(node)
        elif self._pending[-1] is None:
            self._pending[-1] = (self._key(node), mark)
        else:
            key, key_mark = self._pending[-1]
            self._pending[-1] = None
            self._entry(parent, key, key_mark, node)

    def _entry(self, table: Table, key: str, mark: Mark, node: Node) -> None:
        if key == "<<":
            self._refuse(mark, "merge keys (<<) are not YAML 1.2", "repeat the keys, or lay an overlay file on top")
        if key in table.nodes:
            first = table.keys[key].line
            self._findings.error(mark, "", f"key '{key}' is here a second time", f"the first is in line {first}")
            return
        table.nodes[key], table.keys[key] = node, mark

    def _key(self, node: Node) -> str:
        if not isinstance(node, Scalar):
            self._refuse(node.mark, "a key must be text")
        return node.text

    def _mark(self, event: Any) -> Mark:
        return Mark(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _refuse(self, mark: Mark, message: str, hint: str = "") -> NoReturn:
        self._findings.error(mark, "", message, hint)
        raise DocumentError
