"""What people give to find messages, understood: conditions for the index, with what the journal knows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from canonical.objects import CATALOGUE
from mombus.bus.commands import UnknownNameError
from mombus.desk.question import QuestionError
from mombus.hub.replay.selecting import SelectionError, moment
from mombus.index.arrivals import that_wait
from mombus.index.conditions import AnyOf, Ended, Named, OneOf, Said, Span
from mombus.index.searching import LAST, between, is_known
from mombus.index.selection import LONGEST, ORDERS
from mombus.index.texts import TextError, Worded, match_of
from mombus.journal.deliveries import Outcome
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from mombus.config.model import Config
    from mombus.desk.messages import MessageFilter
    from mombus.index.conditions import Condition
    from mombus.index.searching import Found
    from mombus.journal.journal import Journal

WAITING_MOST = 5000
"""Waiting messages that are looked at for one answer."""
ENDS = frozenset({Outcome.DELIVERED, Outcome.SUPERSEDED, Outcome.REJECTED, Outcome.SKIPPED})

_THINGS = {
    "order": ORDERS, "lot": ("material_lot",), "equipment": ("equipment",), "material": ("material",),
    "document": ("document",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for. With `cut` only what waits was taken into account down to there: there may be more."""

    conditions: Sequence[Condition]
    span: Span
    cut: int | None = None

    def as_far(self, found: Found) -> Found:
        """What was found, as complete as it is."""
        if self.cut is None or found.before is not None:
            return found
        return replace(found, before=self.cut, complete=False, looked_back_to=self.cut)


class Filtering:
    """Understands filters."""

    def __init__(self, config: Config, journal: Journal, index: Journal) -> None:
        self._config = config
        self._journal = journal
        self._index = index

    async def understood(self, asked: MessageFilter, before: int | None, now: datetime) -> Wanted:
        """The conditions for what is asked. Raises UnknownNameError, QuestionError."""
        asked = _with_route(asked)
        await self._check(asked)
        zone = self._config.plant.timezone
        try:
            since, until = (moment(text, zone, now) if text else None for text in (asked.since, asked.until))
        except SelectionError as error:
            raise QuestionError(str(error)) from None
        span = await self._index.survey(partial(between, since=since, until=until, before=before or LAST))
        handover, cut = await self._handover(asked, span)
        anywhere, other_cut = await self._anywhere(asked, span)
        cuts = [one for one in (cut, other_cut) if one is not None]
        if cuts:
            span = span._replace(after=max(span.after, *(one - 1 for one in cuts)))
        return Wanted(
            [*_said(asked), *_named(asked), *_worded(asked), *handover, *anywhere], span, max(cuts, default=None)
        )

    async def _handover(self, asked: MessageFilter, span: Span) -> tuple[list[Condition], int | None]:
        """It ended so at a target, or waits so for it."""
        if not (asked.target or asked.state or asked.attempts):
            return [], None
        ends = tuple(state for state in asked.state if state in ENDS)
        kinds = [kind for kind in Wait if "waiting" in asked.state or kind in asked.state]
        found: list[Condition] = []
        if ends or not asked.state:
            found.append(Ended(asked.target, ends, asked.attempts or 0))
        if not kinds and asked.state:
            return [AnyOf(tuple(found))], None
        waits, cut = await self._waits(asked.target, kinds or tuple(Wait), asked.attempts or 0, span)
        return [AnyOf((*found, waits))], cut

    async def _anywhere(self, asked: MessageFilter, span: Span) -> tuple[list[Condition], int | None]:
        """A system said it, got it, or it waits for that."""
        if not asked.system:
            return [], None
        waits, cut = await self._waits(asked.system, tuple(Wait), 0, span)
        return [AnyOf((Said("source", asked.system), Ended(asked.system), waits))], cut

    async def _waits(
        self, targets: Sequence[str], kinds: Collection[Wait], attempts: int, span: Span
    ) -> tuple[OneOf, int | None]:
        """What waits; with the last of it if there is more."""
        seqs = await self._journal.survey(partial(
            that_wait, targets=targets, kinds=kinds, attempts=attempts, before=span.before, limit=WAITING_MOST
        ))  # fmt: skip
        return OneOf(tuple(seqs)), seqs[-1] if len(seqs) == WAITING_MOST else None

    async def _check(self, asked: MessageFilter) -> None:
        for name in asked.object:
            if name not in CATALOGUE:
                raise UnknownNameError("data object", name, CATALOGUE)
        for ref in asked.ref:
            if "=" not in ref.strip("="):
                raise QuestionError(f"'{ref}' names nothing: write OBJECT=ID, such as material=FG-1000")
        for name in (*asked.source, *asked.target, *asked.system):
            if name not in self._config.systems and not await self._index.survey(partial(is_known, system=name)):
                raise UnknownNameError("system", name, self._config.systems)


def _with_route(asked: MessageFilter) -> MessageFilter:
    """A route is its object and its target."""
    if asked.route is None:
        return asked
    name, _, target = asked.route.partition(">")
    if asked.object not in {(), (name,)} or asked.target not in {(), (target,)}:
        raise QuestionError("a route is an object and a target: leave out the others")
    return asked.model_copy(update={"object": (name,), "target": (target,)})


def _said(asked: MessageFilter) -> list[Condition]:
    columns = {"object": asked.object, "verb": asked.verb, "source": asked.source}
    return [Said(column, tuple(map(str, values))) for column, values in columns.items() if values]


def _named(asked: MessageFilter) -> list[Condition]:
    found = [Named(things, _kept(getattr(asked, name))) for name, things in _THINGS.items() if getattr(asked, name)]
    if asked.key:
        found.append(Named(asked.object or tuple(CATALOGUE), _kept(asked.key)))
    refs = [ref.partition("=") for ref in asked.ref]
    if refs:
        return [*found, AnyOf(tuple(Named((name,), _kept((id,))) for name, _, id in refs))]
    return list(found)


def _worded(asked: MessageFilter) -> list[Condition]:
    try:
        return [Worded(match_of(asked.text))] if asked.text else []
    except TextError as error:
        raise QuestionError(str(error)) from None


def _kept(values: Sequence[str]) -> tuple[str, ...]:
    """As the index has them."""
    return tuple(value[:LONGEST] for value in values)
