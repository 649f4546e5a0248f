"""How times and names read to people."""

from __future__ import annotations

from datetime import datetime


def age(since: str | datetime | None, now: datetime) -> str:
    """How long ago, in the two largest units that matter: `4 s`, `12 min`, `3 h 5 min`, `2 d 4 h`; `-` for never."""
    if since is None:
        return "-"
    then = datetime.fromisoformat(since) if isinstance(since, str) else since
    seconds = max(0, int((now - then).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def clock(at: str | datetime | None) -> str:
    """The time of day to the second by this machine's clock, `-` for none."""
    if at is None:
        return "-"
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone().strftime("%H:%M:%S")


def day(at: str | datetime | None) -> str:
    """Date and time of day to the second by this machine's clock, `-` for none."""
    if at is None:
        return "-"
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def words(name: str) -> str:
    """A data object's name as people say it: `production order`."""
    return name.replace("_", " ")
