"""A route's block for routes.yaml, explained, and whether the file would still be good with it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mombus.config.document import Items, Node, Scalar, Table, read
from mombus.config.finding import Findings, Severity
from mombus.config.loader import load
from mombus.config.needs import NO_SECRET

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mombus.config.finding import Finding
    from mombus.config.model import Config

_EFFECTS = {
    "received": "done when the target has it",
    "accepted": "done when the target took it",
    "posted": "done when the target's document has its number",
}


class RouteError(Exception):
    """The file can't take a route like this; the text says what to do."""


def route_block(object: str, to: Sequence[str], *, within: str, effect: str, when: str | None) -> str:
    """The block, to stand under `routes:`."""
    named = to[0] if len(to) == 1 else f"[{', '.join(to)}]"
    lines = [
        f"  - object: {object}    # from its owner; a route has no `from`",
        f"    to: {named}",
        f"    effect: {effect}    # {_EFFECTS[effect]}",
        f"    within: {within}    # the promise: later is shown as late",
        "    # start: now         # with what happens from now on; without it also the latest of what was said before",
        "    # map: …             # JSONata; its result is the body that the target gets",
    ]
    if when is None:
        return "\n".join([*lines, "    # when: …            # JSONata; the target gets what it is true for"]) + "\n"
    return "\n".join([*lines, f"    when: {json.dumps(when, ensure_ascii=False)}"]) + "\n"


def judged(file: Path, block: str) -> tuple[Config | None, list[Finding]]:
    """The configuration with the route, None if it has errors; and what is found then that wasn't found before."""
    root = _root(file)
    fresh = read(f"routes:\n{block}".encode(), "the new route", Findings())
    assert fresh is not None  # noqa: S101 - our own words
    there = root.nodes.get("routes")
    routes = [*(_plain(there) if isinstance(there, Items) else []), *_plain(fresh.nodes["routes"])]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as overlay:
        json.dump({"routes": routes}, overlay)
        overlay.flush()
        now = load([file, Path(overlay.name)], needs=NO_SECRET)
    before = {finding.message for finding in load([file], needs=NO_SECRET).findings}
    return now.config, [one for one in now.findings if one.severity is Severity.ERROR or one.message not in before]


def added(file: Path, block: str) -> str:
    """The file's text with the block behind its last route. Raises RouteError where routes aren't a block of lines."""
    text = file.read_text(encoding="utf-8")
    root = _root(file)
    there = root.nodes.get("routes")
    lines = text.splitlines(keepends=True)
    if there is None:
        return text.rstrip("\n") + f"\n\nroutes:\n{block}"
    start = root.keys["routes"].line
    if isinstance(there, Scalar) or "[" in lines[start - 1]:
        raise RouteError(f"{file}:{start}: routes aren't written as lines with '- ': put the block in by hand")
    after = min((mark.line for mark in root.keys.values() if mark.line > start), default=len(lines) + 1) - 1
    while after > start and (not lines[after - 1].strip() or lines[after - 1].startswith("#")):
        after -= 1
    if not lines[after - 1].endswith("\n"):
        lines[after - 1] += "\n"
    return "".join([*lines[:after], block, *lines[after:]])


def _root(file: Path) -> Table:
    try:
        root = read(file.read_bytes(), str(file), Findings())
    except OSError as error:
        raise RouteError(f"{file} can't be read: {error.strerror}; `mombus new plant DIR` makes one") from None
    if root is None:
        raise RouteError(f"{file} is no YAML that can be read: `mombus check {file}` says why")
    return root


def _plain(node: Node) -> Any:
    if isinstance(node, Table):
        return {key: _plain(inner) for key, inner in node.nodes.items()}
    return [_plain(inner) for inner in node.nodes] if isinstance(node, Items) else node.value
