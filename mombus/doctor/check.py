"""What was looked at, and how it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from mombus.config.certificates import SOON

APART_S = 5.0
"""Clocks that differ by more put what happened into the wrong order."""
MOST = 100
"""Checks that are told of one thing: what is wrong with it before what is well."""


class Verdict(StrEnum):
    """How it is."""

    WELL = "ok"
    SOON = "soon"
    """It works, and won't for long, or not as it should."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `about` what, how it is, and what to do about it.

    Of a certificate `ends` says when it does and `field` which it is: the field that names it, or `server` for the one
    that is shown. Of a clock `ahead_s` says by how much it is ahead of this machine's.
    """

    about: str
    verdict: Verdict
    text: str
    do: str = ""
    field: str = ""
    ends: datetime | None = None
    ahead_s: float | None = None

    def said(self) -> dict[str, Any]:
        """As plain data."""
        ends = self.ends.isoformat() if self.ends else None
        return {**asdict(self), "verdict": self.verdict.value, "ends": ends}


def certificate(
    about: str, begins: datetime, ends: datetime, *, field: str = "server", words: str = "its certificate"
) -> Check:
    """How long a certificate lasts, and whether it is good already."""
    left, day = ends - datetime.now(UTC), f"{ends:%Y-%m-%d}"
    if begins > datetime.now(UTC):
        verdict, text = Verdict.WRONG, f"{words} isn't good before {begins:%Y-%m-%d %H:%M} UTC"
        do = "wait for that, or set the clock right: of this machine, or of the one where it was made"
    elif left < timedelta(0):
        verdict, text, do = Verdict.WRONG, f"{words} ended on {day}", "put a new one in its place"
    elif left < SOON:
        verdict, text, do = Verdict.SOON, f"{words} ends in {left.days} days, on {day}", "renew it"
    else:
        verdict, text, do = Verdict.WELL, f"{words} is good until {day}", ""
    return Check(about, verdict, text, do, field=field, ends=ends)


def clock(about: str, theirs: datetime, asked: datetime, answered: datetime, *, grain_s: float = 0.0) -> Check:
    """Whether two clocks agree: theirs was read between `asked` and `answered`, and tells steps of `grain_s`.

    What a slow answer takes is never taken for a difference.
    """
    ahead_s = 0.0
    if theirs > answered:
        ahead_s = (theirs - answered).total_seconds()
    elif theirs + timedelta(seconds=grain_s) < asked:
        ahead_s = (theirs - asked).total_seconds() + grain_s
    if abs(ahead_s) > APART_S:
        where = "ahead of" if ahead_s > 0 else "behind"
        return Check(
            about, Verdict.WRONG, f"its clock is {abs(ahead_s):.0f} s {where} this machine's",
            "let both follow one time server (NTP)", ahead_s=ahead_s,
        )  # fmt: skip
    return Check(about, Verdict.WELL, "its clock agrees with this machine's", ahead_s=ahead_s)
