"""Intake: what a source read becomes messages on the bus, each by what its system may say.

Kill-safe because everything about it is deterministic: an item that is read again has the same raw document, the same
ids and contents, so that what was stored is known by its id, an equal state is an echo, and a parked part is parked
already. The bookmark moves, and the source is told, only when everything of the item is stored or kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from canonical.isa95.gap import Gap as GapBody
from canonical.message import Message, Origin, Verb
from canonical.objects import CATALOGUE, Kind
from connectors.connector import Gap, Outcome, Raw
from mombus.bus.custody import Custody
from mombus.bus.errors import Conflict, TooLarge
from mombus.bus.judgement import Given, Judgement, Kept, Ready, contradiction, in_time
from mombus.bus.raw import store_raw
from mombus.bus.repeated import past
from mombus.bus.revisions import REMEMBERED, Revisions
from mombus.journal import bookmarks
from mombus.journal.leaseholder import clock
from mombus.journal.leases import LeaseLost
from mombus.journal.parked import Parked, ParkedItem
from mombus.ownership.aliases import Aliases, Missing
from mombus.ownership.decision import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.connector import Item
    from mombus.bus.connection import Bus
    from mombus.bus.custody import Record
    from mombus.bus.publishing import Stored
    from mombus.bus.requests import Requests
    from mombus.journal.bookmarks import Term
    from mombus.journal.journal import Journal
    from mombus.ownership.owners import Owners

UNKNOWN = "unknown"
"""What is counted of objects that aren't in the catalogue."""
LATE_S = 2.0
"""After so long another hub that the same was sent to may have been told something newer."""
CONFLICTS = 20
"""How often a message is judged again because somebody else wrote its key in between."""


class Intake:
    """Takes items in. `counts` counts by (system, object, what). With `shared` other hubs take in as well: nothing that
    they may have changed is remembered.

    What: received, published, requested, replied, echo, older, refused, disagreed, waiting, fault.
    """

    def __init__(
        self, *, bus: Bus, journal: Journal, owners: Owners, aliases: Aliases, requests: Requests, site: str,
        shared: bool = False,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._journal = journal
        self._aliases = aliases
        self._site = site
        self._shared = shared
        self._revisions = Revisions(bus, 0 if shared else REMEMBERED)
        self._custody = Custody(bus, journal, site)
        self._judgement = Judgement(
            bus=bus, owners=owners, aliases=aliases, requests=requests, revisions=self._revisions,
            custody=self._custody, site=site,
        )  # fmt: skip
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.counts: Counter[tuple[str, str, str]] = Counter()

    async def start(self) -> None:
        """Read what is open, and let pass what new aliases allow; called once before the first item."""
        await self._custody.load()
        await self.release()

    async def bookmark(self, system: str, term: Term | None = None) -> str | None:
        """Where a source goes on reading; with a `term` that begins. Raises LeaseLost when another hub reads it."""
        if term is None:
            return await self._journal.read(lambda c: bookmarks.bookmark(c, system))
        begin = partial(term.begin, system=system, now=datetime.now(UTC))
        term.number, term.before, found = await self._journal.write(begin)
        return found

    async def accept(self, system: str, item: Item, term: Term | None = None) -> Sequence[Outcome]:
        """Take an item in, whole, and return one outcome per message, in order.

        Items of one system are taken one after the other. When this returns everything is stored or kept with its
        reason, the bookmark moved and the source told. Raises BusError when the broker can't store, or doesn't let us:
        nothing of the item is settled then, reading it again is right. What `settle` raises is passed on; the item is
        stored then.

        `term` is the one in which it was read, where several hubs read. When it is over nothing is stored of what its
        source says again (LeaseLost), and a state without a revision goes by its times (`late`).
        """
        async with self._turns[system]:
            late = self._lateness(item, term)
            late()
            outcomes = await self._take(system, item, late)
            if item.bookmark is not None:
                await self._journal.write(partial(
                    bookmarks.move, system=system, bookmark=item.bookmark, now=datetime.now(UTC),
                    term=term if self._shared else None,
                ))  # fmt: skip
        if item.settle is not None:
            await item.settle(outcomes)
        return outcomes

    async def release(self) -> int:
        """Try what waits for aliases again, in order: after one was learned or declared. Returns how many passed."""
        passed = 0
        for system in sorted({item.system for item in await self._custody.waiting()}):
            async with self._turns[system]:
                self._custody.unblock(system)
                for item in await self._custody.waiting(system):
                    passed += await self._try_again(item)
        return passed

    async def retry(self, id: str, record: Record | None = None) -> Outcome:
        """Try one kept message again, say after its owner was declared. Raises LookupError when there is none.

        So does a document's part that couldn't be read: it has to be translated again.

        `record` writes down that it is closed, with that; it isn't called for one that is refused again.
        """
        item = await self._custody.find(id)
        if item is None or item.closed is not None:
            raise LookupError(f"no message is kept under '{id}'")
        if item.message is None:
            again = f"`mombus replay --kept --source {item.system}`"
            raise LookupError(f"it couldn't be read: mend the mapping, then {again}; or dismiss it")
        async with self._turns[item.system]:
            outcome = await self._single(item.system, Given(0, item.message))
            if outcome.accepted:
                await self._custody.close(item.id, "tried again", record)
        return outcome

    async def close(self, id: str, how: str) -> bool:
        """A kept thing was dealt with; False when it was before."""
        return await self._custody.close(id, how)

    async def dismiss(self, id: str, *, who: str, why: str, record: Record | None = None) -> bool:
        """A person decides that a kept thing is dealt with; False when it was before.

        `record` writes that down, with what it changes: it is told which.
        """
        return await self._custody.close(id, f"{who}: {why}", record)

    def _lateness(self, item: Item, term: Term | None) -> Callable[[], bool]:
        """Tells whether another hub may have taken in something newer by now."""
        if not self._shared:
            return in_time
        began = clock()

        def late() -> bool:
            if term is None:
                return clock() - began > LATE_S
            if not term.holds and item.settle is not None:
                raise LeaseLost("another hub reads it")
            return not term.holds

        return late

    async def _take(self, system: str, item: Item, late: Callable[[], bool]) -> list[Outcome]:
        if self._shared:
            await self._custody.refresh(system)
        raw = None
        if item.raw is not None:
            raw = await store_raw(self._bus, site=self._site, system=system, raw=Raw(
                content=item.raw, content_type=item.content_type, document=item.document, channel=item.channel
            ))  # fmt: skip
        for fault in item.faults:
            await self._custody.park_fault(system, fault, item.document, raw)
            self.counts[system, "-", "fault"] += 1
        await self._revisions.look_ahead(_states(item))
        passed = await past(system, item.messages, self._aliases, self._revisions)
        outcomes: dict[int, Outcome] = {}
        group: list[Ready] = []
        for place, one in enumerate(item.messages):
            given = Given(place, self._from_gap(system, one) if isinstance(one, Gap) else one, raw, late)
            self._count(system, given.message, "received")
            if place in passed:
                outcomes[place] = self._kept(system, given, Kept("echo", "said before, or what it became after is"))
                continue
            if _apart(group, given.message):
                await self._publish(system, group, outcomes)
                group = []
            match await self._judgement.judge(system, given):
                case Kept() as kept:
                    outcomes[place] = self._kept(system, given, kept)
                case ready:
                    group += ready
        await self._publish(system, group, outcomes)
        return [outcomes[place] for place in range(len(item.messages))]

    async def _publish(self, system: str, group: list[Ready], outcomes: dict[int, Outcome]) -> None:
        """Publish a group whole; when one of it can't be stored as it is, each goes its own way."""
        if not group:
            return
        try:
            stored = await self._bus.publish_letters([ready.letter for ready in group])
        except (Conflict, TooLarge):
            for ready in group:
                self._revisions.forget(ready.message)
            for given in dict.fromkeys(ready.given for ready in group):
                outcomes[given.place] = await self._single(system, given)
            return
        for ready, where in zip(group, stored, strict=True):
            outcomes[ready.given.place] = await self._published(system, ready, where)

    async def _single(self, system: str, given: Given) -> Outcome:
        """One message by itself, judged again as often as somebody else is faster."""
        for _ in range(CONFLICTS):
            judged = await self._judgement.judge(system, given)
            if isinstance(judged, Kept):
                return self._kept(system, given, judged)
            try:
                for ready in judged:
                    (where,) = await self._bus.publish_letters([ready.letter])
                    outcome = await self._published(system, ready, where)
            except Conflict:
                self._revisions.forget(judged[0].message)
            except TooLarge as error:
                refused = await self._judgement.refuse(system, given, str(error), Parked.TOO_LARGE)
                return self._kept(system, given, refused)
            else:
                return outcome
        raise Conflict(f"{given.message.object} {given.message.key} is written by somebody else all the time")

    async def _published(self, system: str, ready: Ready, where: Stored) -> Outcome:
        message = ready.message
        if message.verb is Verb.SYNC:
            if where.duplicate and await self._differs(message, where):
                return await self._contradicted(system, ready)
            self._revisions.remember(message, where.seq)
            await self._custody.owner_says(message)
        what = "published" if message.verb.states else "requested" if message.verb.asks else "replied"
        self._count(system, message, what)
        return Outcome(message.id, ready.given.message.key, accepted=True)

    async def _differs(self, message: Message, where: Stored) -> bool:
        """True if the same id was stored before with other content."""
        before = await self._bus.at(where.stream, where.seq)
        return before is not None and digest(before) != digest(message)

    async def _contradicted(self, system: str, ready: Ready) -> Outcome:
        """A fact can't be said in two ways; a state was given the same revision by another hub at the same time."""
        if ready.message.row.kind is Kind.STATE:
            self._revisions.forget(ready.message)
            return await self._single(system, ready.given)
        refused = await self._judgement.refuse(system, ready.given, contradiction(ready.message))
        return self._kept(system, ready.given, refused)

    async def _try_again(self, item: ParkedItem) -> bool:
        """Try a waiting item: it passes, or what follows in its lanes waits behind it again."""
        if item.message is None:
            return False
        if self._custody.blocks(item.system, item.message):
            self._custody.block(item)
            return False
        message = await self._aliases.inbound(item.system, item.message)
        if isinstance(message, Missing):
            await self._custody.still_missing(item, message)
            return False
        outcome = await self._single(item.system, Given(0, item.message))
        if outcome.accepted:
            await self._custody.close(item.id, outcome.reason or "passed")
        else:
            await self._custody.still_refused(item, outcome.reason or "refused")
        return outcome.accepted

    def _from_gap(self, system: str, gap: Gap) -> Message:
        """A gap is a fact of its system; when it has ended, a revision of the same."""
        body = GapBody(
            system=system, what=gap.what, since=gap.since, until=gap.until, reason=gap.reason,
            equipment_id=gap.equipment, lost=gap.lost,
        )  # fmt: skip
        return Message.of(
            "gap", body, source=system, site=self._site, occurred=gap.since, recorded=datetime.now(UTC),
            revision=0 if gap.until is None else 1, origin=Origin.DERIVED,
        )  # fmt: skip

    def _count(self, system: str, message: Message, what: str) -> None:
        """Under the catalogue's names only: another process may claim any."""
        self.counts[system, message.object if message.object in CATALOGUE else UNKNOWN, what] += 1

    def _kept(self, system: str, given: Given, kept: Kept) -> Outcome:
        self._count(system, given.message, kept.what)
        return Outcome(given.message.id, given.message.key, kept.accepted, kept.reason)


def _states(item: Item) -> list[Message]:
    """The statements of an item whose versions will be needed; one alone needs no looking ahead."""
    messages = [one for one in item.messages if isinstance(one, Message) and one.verb is Verb.SYNC]
    known = [one for one in messages if (row := CATALOGUE.get(one.object)) and row.kind is Kind.STATE]
    return known if len(known) > 1 else []


def _apart(group: list[Ready], message: Message) -> bool:
    """True if a message can't be in one batch with the group: of the same key, or for another stream."""
    row = CATALOGUE.get(message.object)
    signal = row is not None and row.kind is Kind.SIGNAL
    return any(
        (ready.message.row.kind is Kind.SIGNAL) != signal
        or (ready.given.message.object, ready.given.message.key) == (message.object, message.key)
        for ready in group
    )
