"""What was looked at, and how it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from mombus.config.certificates import SOON

APART_S = 5.0
"""Clocks that differ by more put what happened into the wrong order."""


class Verdict(StrEnum):
    """How it is."""

    WELL = "ok"
    SOON = "soon"
    """It works, and won't for long, or not as it should."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `about` what, how it is, and what to do about it."""

    about: str
    verdict: Verdict
    text: str
    do: str = ""


def certificate(about: str, ends: datetime) -> Check:
    """How long a certificate lasts."""
    left = ends - datetime.now(UTC)
    if left < timedelta(0):
        return Check(about, Verdict.WRONG, f"its certificate ended on {ends:%Y-%m-%d}", "put a new one in its place")
    if left < SOON:
        return Check(about, Verdict.SOON, f"its certificate ends in {left.days} days, on {ends:%Y-%m-%d}", "renew it")
    return Check(about, Verdict.WELL, f"its certificate is good until {ends:%Y-%m-%d}")


def clock(about: str, theirs: datetime, ours: datetime) -> Check:
    """Whether two clocks agree; times from HTTP are whole seconds."""
    apart_s = abs((theirs - ours).total_seconds())
    if apart_s > APART_S:
        ahead = "ahead of" if theirs > ours else "behind"
        return Check(
            about, Verdict.WRONG, f"its clock is {apart_s:.0f} s {ahead} this machine's",
            "let both follow one time server (NTP)",
        )  # fmt: skip
    return Check(about, Verdict.WELL, "its clock agrees with this machine's")
