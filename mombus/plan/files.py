"""The files that systems' settings name, and those that are named in them, as digests: a changed one is a change.

A WSDL names its schemas, for instance: whatever reads like a file's name and is one, seen from the file that says it,
counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic import BaseModel

if TYPE_CHECKING:
    from mombus.config.model import Config

LARGEST = 20_000_000
"""Bytes; larger files don't count."""
LARGEST_TEXT = 2_000_000
"""Bytes of a file in which names are looked for."""
MOST = 1000
"""Files that one setting leads to."""
_NAME = re.compile(rb"[\w%./+-]{1,200}\.[A-Za-z0-9]{1,8}")


def contents(config: Config) -> dict[str, str]:
    """A digest of each file that a system's settings name, by its name as it is written there."""
    found: dict[str, str] = {}
    for system in config.systems.values():
        for text in _texts(system.config):
            if text not in found and (digest := _digest(_path(config.folder, text))) is not None:
                found[text] = digest
    return found


def _path(folder: Path, text: str) -> Path:
    """Where a name leads to from a folder; it may be written as a URL."""
    return folder / (unquote(text.removeprefix("file://")) if text.startswith("file:") else text)


def _digest(first: Path) -> str | None:
    """Of a file, and of all that it leads to; None if it isn't one. Where they lie doesn't count."""
    seen: dict[Path, str] = {}
    ahead = [first]
    while ahead and len(seen) < MOST:
        file = ahead.pop()
        content = _read(file) if file not in seen else None
        if content is not None:
            seen[file] = sha256(content).hexdigest()
            ahead += {_path(file.parent, name) for name in _names(content)}
    return sha256("".join(sorted(seen.values())).encode()).hexdigest() if seen else None


def _names(content: bytes) -> Iterator[str]:
    if len(content) <= LARGEST_TEXT and b"\0" not in content:
        yield from (name.decode() for name in _NAME.findall(content) if name.isascii())


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= LARGEST else None
    except (OSError, ValueError):
        return None


def _texts(value: Any) -> Iterator[str]:
    match value:
        case BaseModel():
            for field in type(value).model_fields:
                yield from _texts(getattr(value, field))
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list() | tuple() | set() | frozenset():
            for inner in value:
                yield from _texts(inner)
        case str() | Path():
            yield str(value)
