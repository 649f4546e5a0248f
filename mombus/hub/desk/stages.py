"""Answers what a message was at every step of its way, and what is different between two texts."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from canonical.difference import compare
from canonical.message import Message
from canonical.wire import CONTENT_TYPE
from connectors.connector import Level
from mombus.bus.commands import UnknownNameError
from mombus.bus.errors import BusError
from mombus.desk.question import NoAnswerError, QuestionError
from mombus.desk.stages import (
    CASE,
    DIFF,
    STAGES,
    AtTarget,
    Canonical,
    Case,
    CaseAsked,
    Change,
    Content,
    Diff,
    DiffAsked,
    ExchangedAsked,
    Outcome,
    Raw,
    Side,
    Stage,
    Stages,
    StagesAsked,
)
from mombus.hub.desk import attempts
from mombus.hub.desk.contents import Room, missing
from mombus.journal import standing
from mombus.journal.waiting import Wait
from mombus.trial.masking import DECLARED
from mombus.trial.saving import Got, case_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mombus.delivery.delivery import Delivery
    from mombus.desk.question import Question
    from mombus.hub.desk.passage import OnBus, Passage, Routed
    from mombus.hub.desk.topic import Answer
    from mombus.hub.several.exchanged import Exchanged, Found
    from mombus.journal.journal import Journal
    from mombus.journal.standing import Standing

LARGEST_COMPARED = 1024 * 1024
"""Bytes of a text that are compared: of a longer one its beginning."""
MOST_CHANGES = 300
MOST_ATTEMPTS = 20
LARGEST_CASE = 400_000
NOT_SENT = "it isn't sent yet, or its outcome isn't kept any more"


class StagesTopic:
    """Looks at one message, at all targets or one."""

    def __init__(self, passage: Passage, journal: Journal, delivery: Delivery, exchanged: Exchanged) -> None:
        self._passage = passage
        self._journal = journal
        self._delivery = delivery
        self._exchanged = exchanged

    def answers(self) -> Mapping[Question, Answer]:
        """As Topic."""
        return {STAGES: self.stages, DIFF: self.diff, CASE: self.case}

    async def stages(self, asked: StagesAsked) -> Any:
        """Every stage of a message."""
        with _bus_answers():
            targets = self._targets(asked.target)
            found = await self._passage.find(asked.id)
            room, message = Room(), found.message
            calls = await self._calls(message, targets)
            return Stages(
                id=message.id, object=message.object, verb=message.verb, action=message.action, key=message.key,
                source=message.source, raw=await self._raw(found, room), canonical=await self._canonical(found, room),
                targets=await self._at_targets(message, targets, room, calls, named=asked.target is not None),
                away=list(calls.away),
            ).model_dump(mode="json")  # fmt: skip

    async def diff(self, asked: DiffAsked) -> Any:
        """What is different between two texts."""
        with _bus_answers():
            sides = [await self._text(side) for side in (asked.left, asked.right)]
        left, right = map(_named, (asked.left, asked.right))
        gone = next((text for text in sides if isinstance(text, str)), None)
        if gone is not None:
            return Diff(format=None, left=left, right=right, missing=gone).model_dump(mode="json")
        cut = any(len(text) > LARGEST_COMPARED for text in sides)
        before, after = (text[:LARGEST_COMPARED] for text in sides if isinstance(text, bytes))
        found = await asyncio.to_thread(compare, before, after, most=MOST_CHANGES)
        return Diff(
            format=found.format, left=left, right=right, cut=cut, more=found.more,
            changes=[
                Change(path=one.path, isa95=one.isa95, what=one.what, before=one.before, after=one.after)
                for one in found.differences
            ],
        ).model_dump(mode="json")  # fmt: skip

    async def case(self, asked: CaseAsked) -> Any:
        """A route test: these are given, and each target gets what the routes of now bring it."""
        with _bus_answers():
            messages = [await self._passage.whole((await self._passage.find(id)).message) for id in asked.ids]
            got: dict[str, list[Got]] = {}
            for message in messages:
                for target, one in (await self._got(message)).items():
                    got.setdefault(target, []).append(one)
        if sum(len(message.content) for message in messages) > LARGEST_CASE:
            raise QuestionError(f"what they say has over {LARGEST_CASE} bytes: take fewer messages, or smaller ones")
        given = [self._passage.own_words(message) for message in messages]
        text = await asyncio.to_thread(case_of, given, name=asked.name, got=got)
        if len(text.encode("utf-8", "replace")) > LARGEST_CASE:
            raise QuestionError(f"a test of {len(text)} characters is too long: take fewer messages")
        return Case(text=text, masked=DECLARED).model_dump(mode="json")

    async def _got(self, message: Message) -> dict[str, Got]:
        """What each target gets of it, and how that ended there, as far as it has.

        Of what a `map` makes anew only the object is told: it was made before anything was masked.
        """
        said = await self._passage.got(message)
        known = await self._journal.survey(partial(standing.standings, targets=list(said), message_id=message.id))
        return {
            target: _ended(one if one.content == message.content else replace(one, content=b""), known.get(target))
            for target, one in said.items()
        }

    def _targets(self, named: str | None) -> list[str]:
        known = sorted(self._delivery.targets)
        if named is None:
            return known
        if named not in known:
            raise UnknownNameError("target", named, known)
        return [named]

    async def _raw(self, found: OnBus, room: Room) -> Raw:
        document = await self._passage.document(found)
        if isinstance(document, str):
            return Raw(content=missing(document))
        raw = document.raw
        return Raw(
            id=document.id, document=raw.document, channel=raw.channel,
            content=room.content(raw.content, raw.content_type, document.size),
        )  # fmt: skip

    async def _canonical(self, found: OnBus, room: Room) -> Canonical:
        message = found.message
        return Canonical(
            stored=found.stored.isoformat() if found.stored else None, sequence=found.seq, subject=message.subject,
            headers=dict(found.headers), lanes=list(message.lanes), content=await self._body(message, room),
        )  # fmt: skip

    async def _body(self, message: Message, room: Room) -> Content:
        content = await self._passage.beginning(message)
        size = message.claim.size if message.claim else None
        return missing(content, size) if isinstance(content, str) else room.content(content, CONTENT_TYPE, size)

    async def _calls(self, message: Message, targets: Sequence[str]) -> Found:
        asked = ExchangedAsked(id=message.id, targets=tuple(targets), most=MOST_ATTEMPTS)
        return await self._exchanged.of(asked)

    async def _at_targets(
        self, message: Message, targets: list[str], room: Room, calls: Found, *, named: bool
    ) -> list[AtTarget]:
        """Those that get it, or did; without a name none that has nothing to do with it."""
        entered = await self._entered(message, targets)
        known = await self._journal.survey(partial(standing.standings, targets=targets, message_id=message.id))
        shown = []
        for target in targets:
            routed = await self._passage.routed(message, target, target in entered)
            if named or routed.passes is not False or target in known or routed.conditional or calls.at(target):
                shown.append(_at_target(target, routed, known.get(target), calls, room))
        return shown

    async def _entered(self, message: Message, targets: list[str]) -> set[str]:
        return await self._journal.survey(
            partial(standing.has_entered, targets=targets, object=message.object, key=message.key)
        )

    async def _text(self, side: Side) -> bytes | str:
        """The text of one side, or why there is none."""
        if side.text is not None:
            return side.text.encode("utf-8", "replace")
        targets = self._targets(side.target) if side.target else []
        found = await self._passage.find(side.id or "")
        message = found.message
        match side.stage:
            case Stage.RAW:
                document = await self._passage.document(found)
                return document if isinstance(document, str) else document.raw.content
            case Stage.CANONICAL:
                return await self._passage.beginning(message)
        if side.stage.exchanged:
            calls = await self._calls(message, targets)
            return attempts.text(calls.calls, side.stage, side.number)
        entered = await self._entered(message, targets)
        said = (await self._passage.routed(message, targets[0], targets[0] in entered)).said
        return said if isinstance(said, str) else said.content


@contextmanager
def _bus_answers() -> Iterator[None]:
    """A broker that is away is told as such."""
    try:
        yield
    except BusError as error:
        raise NoAnswerError(f"the bus can't be read now: {error}") from error


def _at_target(target: str, routed: Routed, known: Standing | None, found: Found, room: Room) -> AtTarget:
    said, calls = routed.said, found.at(target)
    content = missing(said) if isinstance(said, str) else _said(said, room)
    return AtTarget(
        target=target, passes=routed.passes, why=routed.why, mapped=content,
        attempts=[attempts.told(call, number, room) for number, call in enumerate(calls, 1)],
        attempts_missing=None if calls else attempts.why_none(known, found, target),
        not_kept=attempts.not_kept(found.not_kept.get(target)), outcome=_outcome(known, routed.passes),
    )  # fmt: skip


def _ended(message: Message, known: Standing | None) -> Got:
    """With the answer that a test can have given again: a document was posted, or it was refused and is parked."""
    number = known.document if known is not None and known.level == Level.POSTED else None
    refused = known.reason if known is not None and known.state == Wait.PARKED else None
    return Got(message, number, refused)


def _said(message: Message, room: Room) -> Content:
    if not message.content:
        return missing(f"{message.verb} {message.object} {message.key} has no body")
    return room.content(message.content, CONTENT_TYPE)


def _outcome(known: Standing | None, passes: bool | None) -> Outcome:
    if known is None:
        return Outcome(state="not for it") if passes is False else Outcome(state="no outcome", reason=NOT_SENT)
    return Outcome(
        state=known.state, at=known.at.isoformat(), reason=known.reason, level=known.level, document=known.document,
        late=known.late, attempts=known.attempts, due=known.due.isoformat() if known.due else None,
    )  # fmt: skip


def _named(side: Side) -> str:
    if side.id is None:
        return "a text"
    at = f" for {side.target}" if side.target and side.stage.at_target else ""
    return f"{side.id}, {side.stage}{at}{f', call {side.number}' if side.number and side.stage.exchanged else ''}"
