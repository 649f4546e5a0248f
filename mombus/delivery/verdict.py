"""What happens after a target's answer: the one place where that is decided."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.connector import (
    Effect,
    Halted,
    NotConnected,
    OutcomeUnknown,
    PermanentError,
    Receipt,
    Rejected,
    RetryableError,
)
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from mombus.delivery.target import Patience


@dataclass(frozen=True, slots=True)
class Done:
    """It took effect, as far as the receipt says."""

    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Refused:
    """The owner refused a request: the asker is told, and that is the end of it."""

    reason: str


@dataclass(frozen=True, slots=True)
class ToWait:
    """It goes to the waiting room. `delay_s` for what is tried again; `open`: it may have taken effect."""

    kind: Wait
    reason: str
    delay_s: float | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing was sent and nothing will be: the target reconnects, or pauses until a person acts."""

    reason: str
    person: bool


def verdict(  # noqa: PLR0911 - one line per case is the point
    answer: Receipt | BaseException, *, effect: Effect, asked: bool, attempts: int, patience: Patience
) -> Done | Refused | ToWait | Stop:
    """Decide about one message. `asked`: it is a request; `attempts`: how often it was tried, this time included."""
    match answer:
        case Receipt():
            return Done(answer)
        case NotConnected():
            return Stop(text(answer), person=False)
        case Halted():
            return Stop(text(answer), person=True)
        case RetryableError() if attempts >= patience.attempts:
            return ToWait(Wait.PARKED, f"tried {attempts} times: {text(answer)}")
        case RetryableError():
            return ToWait(Wait.RETRYING, text(answer), answer.retry_after_s or back_off(attempts, patience))
        case Rejected() if asked:
            return Refused(text(answer))
        case PermanentError():
            return ToWait(Wait.PARKED, text(answer))
        case OutcomeUnknown() if effect is Effect.BLIND or attempts >= patience.attempts:
            return ToWait(Wait.IN_DOUBT, text(answer), open=True)
        case OutcomeUnknown():
            return ToWait(Wait.RETRYING, f"outcome unknown: {text(answer)}", back_off(attempts, patience), open=True)
        case _ if effect is Effect.BLIND:
            return ToWait(Wait.IN_DOUBT, f"unexpected {text(answer)}", open=True)
        case _:
            return ToWait(Wait.PARKED, f"unexpected {text(answer)}", open=True)


def back_off(attempts: int, patience: Patience) -> float:
    """Seconds until the next attempt: doubling, never more than `most_s`, less up to half at random."""
    delay = min(patience.most_s, patience.first_s * 2.0 ** min(attempts - 1, 30))
    return delay * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing


def text(error: BaseException) -> str:
    """An error for a person: our own errors speak for themselves, others are named."""
    if type(error).__module__.startswith("connectors.") and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"
