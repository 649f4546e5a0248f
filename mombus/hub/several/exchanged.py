"""What was exchanged with the targets for a message, whichever hub made the call: each keeps its own on its disk."""

from __future__ import annotations

import asyncio
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mombus.desk.stages import EXCHANGED
from mombus.hub.overhearing import NotKept, WhyNot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mombus.desk.question import Question
    from mombus.desk.stages import ExchangedAsked
    from mombus.hub.desk.topic import Answer
    from mombus.hub.overhearing import Overhearing
    from mombus.hub.several.neighbours import Neighbours

MOST_TOLD = 700_000
"""Characters of what a hub tells another at once: it fits into one message of the broker."""
AROUND = 600
"""Characters that an exchange takes beside its texts, about."""


@dataclass(frozen=True, slots=True)
class Call:
    """One exchange for a message with a target; its texts are unpacked. `attempt` is the delivery's."""

    target: str
    attempt: int
    asked: bool
    at: datetime
    took_s: float
    how: str
    status: str | None
    trouble: str | None
    request: bytes
    request_size: int
    request_type: str
    response: bytes | None
    response_size: int
    response_type: str | None


class Found(NamedTuple):
    """The last exchanges for a message with each target, in their order, and what is known to be missing.

    `not_kept` says by target what no hub kept, `away` which hubs can't be asked, each with why.
    """

    calls: Sequence[Call]
    not_kept: Mapping[str, NotKept]
    away: Sequence[str]

    def at(self, target: str) -> Sequence[Call]:
        """Those with one target."""
        return [call for call in self.calls if call.target == target]


class Exchanged:
    """Looks at this hub's exchanges, and asks its neighbours, if it has any, for theirs."""

    def __init__(self, overhearing: Overhearing, neighbours: Callable[[], Neighbours | None]) -> None:
        self._overhearing = overhearing
        self._neighbours = neighbours

    def answers(self) -> Mapping[Question, Answer]:
        """As `mombus.hub.desk.topic.Topic`: what this hub tells the others."""
        return {EXCHANGED: self.told}

    async def told(self, asked: ExchangedAsked) -> Any:
        """What this hub has, the newest first, as much as fits into a message; texts are compressed."""
        rows: list[dict[str, Any]] = []
        room = MOST_TOLD
        found = await self._overhearing.of(asked.id, asked.targets, asked.most)
        for row in sorted(found, key=lambda row: row.number, reverse=True):
            said = _said(row)
            room -= AROUND + sum(len(said[name] or "") for name in ("how", "trouble", "request", "response"))
            if room < 0:
                break
            rows.append(said)
        return {"calls": rows, "not_kept": self._overhearing.not_kept(asked.id, asked.targets)}

    async def of(self, asked: ExchangedAsked) -> Found:
        """What there is, at this hub and all others."""
        answers: Sequence[Mapping[str, Any]] = ()
        silent: Sequence[Mapping[str, Any]] = ()
        neighbours = self._neighbours()
        if neighbours is not None:
            own, (answers, silent) = await asyncio.gather(self._own(asked), neighbours.asked(EXCHANGED, asked))
        else:
            own = await self._own(asked)
        calls = [*own, *(_heard(said) for answer in answers for said in answer["calls"])]
        last: list[Call] = []
        for target in asked.targets:
            mine = sorted((call for call in calls if call.target == target), key=lambda call: call.at)
            last += mine[-asked.most :]
        return Found(
            last, _together([self._overhearing.not_kept(asked.id, asked.targets), *map(_not_kept, answers)]),
            [f"{hub['address']}: {hub['reason']}" for hub in silent],
        )  # fmt: skip

    async def _own(self, asked: ExchangedAsked) -> list[Call]:
        return [_call(row) for row in await self._overhearing.of(asked.id, asked.targets, asked.most)]


def _call(row: Any) -> Call:
    response = None if row.response is None else zlib.decompress(row.response)
    return Call(
        target=row.target, attempt=row.attempt, asked=row.asked, at=row.at, took_s=row.took_s, how=row.how,
        status=row.status, trouble=row.trouble, request=zlib.decompress(row.request), request_size=row.request_size,
        request_type=row.request_type, response=response, response_size=row.response_size,
        response_type=row.response_type,
    )  # fmt: skip


def _said(row: Any) -> dict[str, Any]:
    names = ("target", "attempt", "asked", "took_s", "how", "status", "trouble", "request_size", "request_type",
             "response_size", "response_type")  # fmt: skip
    return {name: getattr(row, name) for name in names} | {
        "at": row.at.isoformat(), "request": b64encode(row.request).decode(),
        "response": None if row.response is None else b64encode(row.response).decode(),
    }  # fmt: skip


def _heard(said: Mapping[str, Any]) -> Call:
    request, response = (_unpacked(said[name]) for name in ("request", "response"))
    return Call(**{**said, "at": datetime.fromisoformat(said["at"]), "request": request or b"", "response": response})


def _unpacked(text: str | None) -> bytes | None:
    return None if text is None else zlib.decompress(b64decode(text))


def _not_kept(answer: Mapping[str, Any]) -> dict[str, NotKept]:
    return {target: NotKept(calls, WhyNot(why)) for target, (calls, why) in answer["not_kept"].items()}


def _together(told: Sequence[Mapping[str, NotKept]]) -> dict[str, NotKept]:
    found: dict[str, NotKept] = {}
    for target, one in (item for each in told for item in each.items()):
        before = found.get(target)
        found[target] = one._replace(calls=one.calls + (before.calls if before else 0))
    return found
