"""An item as bytes, whole, so that it can be kept in a spool or carried to another process.

A line of JSON says how many bytes follow for each part; the parts follow in that order. What was read back is equal to
what was written, but for `settle`, which belongs to the process that has the connection.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from canonical.wire import HeaderError, from_headers, to_headers
from connectors.connector import Fault, Gap, Item

if TYPE_CHECKING:
    from canonical.message import Message

VERSION = 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ItemError(ValueError):
    """Bytes that are no item; the text says what is wrong with them."""


def pack(item: Item) -> bytes:
    """The item as bytes, without `settle`."""
    parts: list[bytes] = []
    said = {
        "version": VERSION,
        "messages": [_said(message, parts) for message in item.messages],
        "faults": [_fault(fault, parts) for fault in item.faults],
        "raw": _part(item.raw, parts), "content_type": item.content_type, "document": item.document,
        "channel": item.channel,
        "bookmark": item.bookmark, "parts": [],
    }  # fmt: skip
    said["parts"] = [len(part) for part in parts]
    return b"\n".join((json.dumps(said).encode(), b"".join(parts)))


def unpack(data: bytes, *, most: int | None = None) -> Item:
    """The item that `pack` wrote. Raises ItemError, also when its first line has more than `most` bytes."""
    line, _, rest = data.partition(b"\n")
    if most is not None and len(line) > most:
        raise ItemError(f"an item that says {len(line)} bytes beside its documents; {most} are taken")
    try:
        said = json.loads(line)
        if said["version"] != VERSION:
            raise ItemError(f"an item of version {said['version']}; this is version {VERSION}")
        parts = _cut(rest, said["parts"])
        item = Item(
            faults=tuple(
                Fault(fault["place"], fault["reason"], _taken(fault["raw"], parts)) for fault in said["faults"]
            ),
            raw=_taken(said["raw"], parts), content_type=said["content_type"], document=said["document"],
            channel=said["channel"], bookmark=said["bookmark"],
        )  # fmt: skip
        return replace(item, messages=tuple(_read(message, parts) for message in said["messages"]))
    except (KeyError, IndexError, TypeError, HeaderError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ItemError(f"no item: {type(error).__name__}: {error}") from error


def _said(message: Message | Gap, parts: list[bytes]) -> dict[str, Any]:
    if isinstance(message, Gap):
        return {
            "gap": message.what, "since": message.since.isoformat(), "reason": message.reason,
            "until": message.until.isoformat() if message.until else None, "equipment": message.equipment,
            "lost": message.lost,
        }  # fmt: skip
    return {"headers": to_headers(message), "content": _part(message.content, parts)}


def _read(said: dict[str, Any], parts: list[bytes]) -> Message | Gap:
    if "headers" in said:
        return from_headers(_clean(said["headers"]), parts[said["content"]])
    until = said["until"]
    return Gap(
        said["gap"], datetime.fromisoformat(said["since"]), said["reason"],
        until=datetime.fromisoformat(until) if until else None, equipment=said["equipment"], lost=said["lost"],
    )  # fmt: skip


def _clean(headers: dict[str, str]) -> dict[str, str]:
    """The headers, of which none can become two at the broker."""
    for name, value in headers.items():
        if not isinstance(value, str) or _CONTROL.search(value):
            raise ItemError(f"no item: header {name!r} holds what no header can hold")
    return headers


def _fault(fault: Fault, parts: list[bytes]) -> dict[str, Any]:
    return {"place": fault.place, "reason": fault.reason, "raw": _part(fault.raw, parts)}


def _part(content: bytes | None, parts: list[bytes]) -> int | None:
    """The number of the part that holds it."""
    if content is None:
        return None
    parts.append(content)
    return len(parts) - 1


def _taken(number: int | None, parts: list[bytes]) -> bytes | None:
    return None if number is None else parts[number]


def _cut(rest: bytes, sizes: list[int]) -> list[bytes]:
    if sum(sizes) != len(rest):
        raise ItemError(f"an item cut short: {len(rest)} bytes of {sum(sizes)}")
    parts, at = [], 0
    for size in sizes:
        parts.append(rest[at : at + size])
        at += size
    return parts
