"""How a node is written in a file: a browse path with namespaces by URI, or a node id with `nsu=`.

    /Objects/{urn:acme:line1}Line1/Filler/StateCurrent     a step without {…} is in the last namespace named before it
    nsu=urn:acme:line1;s=Filler.State                      or ns=0;i=2258 in the standard's own namespace only

Namespace indexes change when a server starts anew, so only URIs are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

STANDARD = "http://opcfoundation.org/UA/"
_STEP = re.compile(r"(?:\{([^{}]+)\})?([^/{}]+)")
_NODE = re.compile(r"(?:nsu=([^;]+);|ns=0;)?([isgb]=.+)")


class AddressError(ValueError):
    """Text that names no node; the message says how one is written."""


@dataclass(frozen=True, slots=True)
class BrowsePath:
    """Steps from the Root folder: (namespace URI, browse name)."""

    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node id: the URI of its namespace and its identifier as `i=`, `s=`, `g=` or `b=`."""

    namespace: str
    identifier: str


Address = BrowsePath | NodeAddress


def address(text: str, start: str = "", namespace: str = STANDARD) -> Address:
    """Read a node's address; a browse path that doesn't begin with `/` goes on from `start`.

    `namespace` is that of steps below the first where none was named yet. Raises AddressError.
    """
    if "=" in text.split("/", 1)[0]:
        return _node(text)
    path = text if text.startswith("/") or not start else f"{start.rstrip('/')}/{text}"
    if not path.startswith("/"):
        raise AddressError(f"'{text}' is no path from the Root folder: begin it with /Objects/")
    return BrowsePath(_steps(path, namespace))


def _node(text: str) -> NodeAddress:
    found = _NODE.fullmatch(text)
    if found is None:
        raise AddressError(
            f"'{text}' is no node id: write nsu=<namespace URI>;s=<name> (indexes such as ns=2 change at a restart)"
        )
    return NodeAddress(found[1] or STANDARD, found[2])


def _steps(path: str, namespace: str) -> tuple[tuple[str, str], ...]:
    """Split at slashes outside of braces; URIs hold slashes of their own. The first step is one of the standard's."""
    steps: list[tuple[str, str]] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position + 1) if path[position] == "/" else None
        if found is None:
            raise AddressError(f"'{path}' is no browse path: write /Objects/{{namespace URI}}Name/Name")
        if steps:
            namespace = found[1] or namespace
        steps.append((namespace if steps else STANDARD, found[2]))
        position = found.end()
    return tuple(steps)
