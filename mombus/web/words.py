"""How times and names read to people."""

from __future__ import annotations

import json
import re
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from mombus.config.size import Size

if TYPE_CHECKING:
    from collections.abc import Collection

_FORMULA = re.compile(r"[=@\t\r\n]|[+-](?!\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\Z)")
"""How what a spreadsheet would take for a formula begins; a number with a sign is none."""

_UNCOUNTED = frozenset({"equipment", "labour"})

MOST_TIMES = 8
"""A text that is laid out takes at most so many times its characters: strangers nest as deep as they like."""


def age(since: str | datetime | None, now: datetime) -> str:
    """How long ago, in the two largest units that matter: `4 s`, `12 min`, `3 h 5 min`, `2 d 4 h`; `-` for never."""
    if since is None:
        return "-"
    then = datetime.fromisoformat(since) if isinstance(since, str) else since
    seconds = max(0, int((now - then).total_seconds()))
    return f"{seconds} s" if seconds < 60 else span(seconds)


def span(seconds: float) -> str:
    """A length of time as people say it: `12 ms`, `3.4 s`, `5 min`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def lasted(seconds: float) -> str:
    """How long something lasted, for sums: `0 s`, `12 ms`, `3.4 s`, `1 min 59 s`, `27 h 10 min`."""
    if seconds < 59.95:
        return span(seconds) if seconds else "0 s"
    if seconds < 3599.5:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def percent(share: float | None) -> str:
    """A share; one that isn't nothing, or isn't all, doesn't look so: `12.5 %`, `under 0.1 %`, `not known`."""
    if share is None:
        return "not known"
    if 0 < share < 0.1:
        return "under 0.1 %"
    return "over 99.9 %" if 99.9 < share < 100 else f"{share:.1f} %"


def size(number: int) -> str:
    """Bytes as people say them: `256 MiB`."""
    return str(Size(number))


def clock(at: str | datetime | None, zone: tzinfo) -> str:
    """The time of day to the second as clocks show it in `zone`, `-` for none."""
    return "-" if at is None else _local(at, zone).strftime("%H:%M:%S")


def lately(at: str | datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day to the second as clocks show it in `zone`, with the date before it unless that is today's."""
    today = _local(at, zone).date() == now.astimezone(zone).date()
    return clock(at, zone) if today else day(at, zone)


def day(at: str | datetime | None, zone: tzinfo) -> str:
    """Date and time of day to the second as clocks show them in `zone`, `-` for none."""
    return "-" if at is None else _local(at, zone).strftime("%Y-%m-%d %H:%M:%S")


def minute(at: str | datetime, zone: tzinfo) -> str:
    """Date and time of day to the minute as clocks show them in `zone`."""
    return _local(at, zone).strftime("%Y-%m-%d %H:%M")


def split_second(at: str | datetime, zone: tzinfo) -> str:
    """The time of day to the millisecond as clocks show it in `zone`."""
    return _local(at, zone).strftime("%H:%M:%S.%f")[:-3]


def moment(at: str) -> datetime:
    """A time as it is said in an answer."""
    return datetime.fromisoformat(at)


def _local(at: str | datetime, zone: tzinfo) -> datetime:
    return (moment(at) if isinstance(at, str) else at).astimezone(zone)


def words(name: str) -> str:
    """A data object's name as people say it: `production order`."""
    return name.replace("_", " ")


def things(count: int, objects: Collection[str]) -> str:
    """So many of data objects as people say it: `1 production order`, `3 capabilities`; of several, `4 messages`."""
    said = words(next(iter(objects))) if len(objects) == 1 else "message"
    return f"{count} {said if count == 1 else _many(said)}"


def _many(said: str) -> str:
    if said in _UNCOUNTED:
        return said
    first, of, rest = said.partition(" of ")
    return f"{first[:-1]}ies{of}{rest}" if first.endswith("y") else f"{first}s{of}{rest}"


def harmless(text: str) -> str:
    """A text for a spreadsheet: one that looks like a formula begins with a `'`."""
    return f"'{text}" if _FORMULA.match(text) else text


def laid_out(text: str, media_type: str | None) -> str:
    """JSON and XML over several lines, the same otherwise; another text, half of one, and one that would become far
    longer, as it is.
    """
    kind = (media_type or "").partition(";")[0]
    most = max(1000, MOST_TIMES * len(text))
    if kind.endswith("json"):
        return _json(text, most)
    return _xml(text, most) if kind.endswith("xml") and "<!--" not in text else text


def _json(text: str, most: int) -> str:
    laid, size = [], 0
    try:
        for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(json.loads(text)):
            laid.append(piece)
            size += len(piece)
            if size > most:
                return text
    except (ValueError, RecursionError):
        return text
    return "".join(laid)


def _xml(text: str, most: int) -> str:
    from lxml import etree  # noqa: PLC0415 - heavy, only where a document is shown

    from canonical.b2mml.faults import DocumentError  # noqa: PLC0415
    from canonical.b2mml.secure import parse  # noqa: PLC0415

    try:
        root = parse(text.encode())
    except DocumentError:
        return text
    etree.indent(root)
    laid = etree.tostring(root, encoding="unicode")
    return laid if len(laid) <= most else text
