"""Subjects on the wire: `mom.<site>.<object>.<verb>.<system>.<lane>.<key>`, every token safe to publish.

The broker inserts the partition of the lane before the lane when it stores:
`mom.<site>.<object>.<verb>.<system>.<partition>.<lane>.<key>`.

Signals have a root of their own, `sig`, and otherwise the same tokens: no filter on business messages meets them.
What each owner says now is kept at `latest.<site>.<object>.<system>.<key>`, without the lane, which may change.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

ROOT = "mom"
SIGNAL_ROOT = "sig"
LATEST_ROOT = "latest"
NO_KEY = "_"
MAX_TOKEN = 200
PARTITIONS = 16

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:@+,;()!#&'[]{}^|~")


class Address(NamedTuple):
    """The tokens of a subject, decoded."""

    site: str
    object: str
    verb: str
    system: str
    lane: str
    key: str


def token(text: str) -> str:
    """Encode `text` as one subject token of at most MAX_TOKEN bytes.

    Plain characters stay; every other byte of its UTF-8 becomes `=XX`. A leading `_` or `$` is encoded too, so that
    neither `_` (no key) nor the broker's own subjects can be spelt. Text too long keeps its start and gets a digest:
    such a token can be compared but not decoded.
    """
    if text and text[0] not in "_$" and _PLAIN.issuperset(text) and len(text) <= MAX_TOKEN:
        return text
    encoded = "".join(chr(b) if chr(b) in _PLAIN else f"={b:02X}" for b in text.encode("utf-8", "surrogatepass"))
    if encoded[:1] == "_":
        encoded = "=5F" + encoded[1:]
    if not encoded:
        return "=="
    if len(encoded) > MAX_TOKEN:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        start = encoded[: MAX_TOKEN - 34]
        cut = start.rfind("=", len(start) - 2)
        return f"{start if cut < 0 else start[:cut]}=~{digest}"
    return encoded


def untoken(encoded: str) -> str:
    """Decode a token. Raises ValueError for text that `token` doesn't write, and for shortened tokens."""
    if "=" not in encoded:
        return encoded
    if encoded == "==":
        return ""
    if "=~" in encoded:
        raise ValueError(f"'{encoded}' was shortened: its text is in the message's headers")
    head, *rest = encoded.split("=")
    raw = bytearray(head.encode("ascii"))
    for part in rest:
        raw += bytes.fromhex(part[:2]) + part[2:].encode("ascii")
    return raw.decode("utf-8", "surrogatepass")


def subject(address: Address, root: str = ROOT) -> str:
    """The subject to publish on. An empty key becomes `_`; `root` is SIGNAL_ROOT for signals."""
    site, object_, verb, system, lane, key = address
    return f"{root}.{token(site)}.{object_}.{verb}.{token(system)}.{token(lane)}.{token(key) if key else NO_KEY}"


def latest_subject(site: str, object: str, system: str | None, key: str | None) -> str:
    """Where the last statement about one thing is kept; None for any system or any key."""
    return (
        f"{LATEST_ROOT}.{token(site)}.{object}.{token(system) if system else '*'}.{'*' if key is None else token(key)}"
    )


def stored(text: str) -> tuple[Address, int]:
    """Read a stored subject: its address and the lane's partition. Raises ValueError for other subjects."""
    parts = text.split(".")
    if len(parts) != 8 or parts[0] not in (ROOT, SIGNAL_ROOT):
        raise ValueError(f"'{text}' is no subject of the bus")
    _, site, object_, verb, system, partition, lane, key = parts
    return Address(
        untoken(site), object_, verb, untoken(system), untoken(lane), "" if key == NO_KEY else untoken(key)
    ), int(partition)


def partition(lane: str) -> int:
    """The partition that the broker stores a lane in: FNV-1a of its token, as `partition()` of a subject transform."""
    hashed = 0x811C9DC5
    for byte in token(lane).encode("ascii"):
        hashed = (hashed ^ byte) * 0x01000193 & 0xFFFFFFFF
    return hashed % PARTITIONS


def filter_subject(
    *, site: str | None = None, object: str | None = None, verb: str | None = None, system: str | None = None,
    partition: int | None = None, lane: str | None = None, key: str | None = None, root: str = ROOT,
) -> str:  # fmt: skip
    """A filter on stored subjects; what isn't given matches everything. `root` is SIGNAL_ROOT for signals."""
    lane_token = token(lane) if lane is not None else "*"
    key_token = ("*" if key is None else token(key)) if key != "" else NO_KEY
    return ".".join((
        root, token(site) if site else "*", object or "*", verb or "*", token(system) if system else "*",
        "*" if partition is None else str(partition), lane_token, key_token,
    ))  # fmt: skip
