"""Judgement: what becomes of one message of an item, by aliases, ownership and versions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from canonical.message import Action, Message, Verb
from canonical.objects import Kind
from canonical.subjects import filter_subject
from mombus.bus.publishing import Letter
from mombus.bus.raw import RAW_HEADER
from mombus.bus.streams import MOM
from mombus.journal.parked import Parked
from mombus.journal.requests import Asked
from mombus.ownership.aliases import Missing
from mombus.ownership.decision import Echo, Refused, Reply, Request, Statement, decide, digest, is_reply, same
from mombus.ownership.versions import Older, by_times, next_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from mombus.bus.connection import Bus
    from mombus.bus.custody import Custody
    from mombus.bus.requests import Requests
    from mombus.bus.revisions import Revisions
    from mombus.ownership.aliases import Aliases
    from mombus.ownership.decision import Decision
    from mombus.ownership.owners import Owners
    from mombus.ownership.versions import Version


def in_time() -> bool:
    """Nothing is late where one hub takes in everything of a system, in order."""
    return False


@dataclass(frozen=True, slots=True)
class Given:
    """A message of an item: its place there, as the system said it, and the raw document it came in.

    `late` tells whether another hub may have taken in something newer by now.
    """

    place: int
    message: Message
    raw: str | None = None
    late: Callable[[], bool] = in_time


@dataclass(frozen=True, slots=True)
class Ready:
    """To be published, after `expect` if it is a state."""

    given: Given
    message: Message
    expect: int | None = None

    @property
    def letter(self) -> Letter:
        """As it is published, with the id of the document it came in."""
        headers = {RAW_HEADER: self.given.raw} if self.given.raw else None
        return Letter.of(self.message, expect=self.expect, headers=headers)


@dataclass(frozen=True, slots=True)
class Kept:
    """Not published: `what` for the counters, with the reason. Not accepted means that the system should know."""

    what: str
    reason: str
    accepted: bool = True


Judged: TypeAlias = "list[Ready] | Kept"


class Judgement:
    """Judges messages; what may not go on is in custody when it returns."""

    def __init__(
        self, *, bus: Bus, owners: Owners, aliases: Aliases, requests: Requests, revisions: Revisions,
        custody: Custody, site: str,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._owners = owners
        self._aliases = aliases
        self._requests = requests
        self._revisions = revisions
        self._custody = custody
        self._site = site

    async def judge(self, system: str, given: Given) -> Judged:
        """What is to be published for a message, or why nothing is. Raises BusError when the broker can't be asked."""
        message = given.message
        if message.source != system or message.site != self._site:
            return await self.refuse(system, given, (
                f"{system} at {self._site} can't speak for {message.source} at {message.site}"
            ))  # fmt: skip
        try:
            canonical = await self._in_our_words(system, given)
            return canonical if isinstance(canonical, Kept) else await self._by_owner(system, given, canonical)
        except (ValueError, LookupError) as unreadable:
            return await self.refuse(system, given, f"the message can't be read: {unreadable}")

    async def refuse(self, system: str, given: Given, reason: str, kind: Parked = Parked.REFUSED) -> Kept:
        """Keep a message that may not be said, or can't be."""
        await self._custody.park(given.message, system, kind, reason)
        return Kept("refused", reason, accepted=False)

    async def _in_our_words(self, system: str, given: Given) -> Message | Kept:
        """The message with canonical ids, or kept until an alias is there."""
        if self._custody.blocks(system, given.message):
            reason = "something before it in its lane waits for an alias"
            await self._custody.park(given.message, system, Parked.BEHIND, reason)
            return Kept("waiting", reason)
        message = await self._aliases.inbound(system, given.message)
        if isinstance(message, Missing):
            await self._custody.park(given.message, system, Parked.ALIAS, str(message), (message.object, message.id))
            return Kept("waiting", str(message))
        return message

    async def _by_owner(self, system: str, given: Given, message: Message) -> Judged:
        decision = await self._decision(message)
        match decision:
            case Statement(statement) if statement.row.kind is Kind.STATE:
                return await self._state(system, given, statement)
            case Statement(statement):
                return await self._other(system, given, statement)
            case Reply(reply):
                return [*await self._news(given, reply), Ready(given, reply)]
            case Request():
                return await self._request(given, decision)
            case Echo(reason, agrees):
                if agrees:
                    await self._custody.agree(message)
                return Kept("echo", reason)
        return await self._refused(system, given, message, decision)

    async def _refused(self, system: str, given: Given, message: Message, refused: Refused) -> Kept:
        if refused.owner is None:
            return await self.refuse(system, given, refused.reason)
        await self._custody.disagree(message, refused)
        return Kept("disagreed", refused.reason, accepted=False)

    async def _decision(self, message: Message) -> Decision:
        owner = self._owners.of(message.object, message.body if message.content else None, message.source)
        if is_reply(message):
            return decide(message, owner=owner, said=None, asked=await self._requests.find(message.correlation))
        said = None
        if owner is not None and message.source != owner and message.verb.states:
            said = await self._owner_says(message, owner)
        return decide(message, owner=owner, said=said, asked=None)

    async def _owner_says(self, message: Message, owner: str) -> Message | None:
        """The owner's word about the same thing. LATEST lags a little: before a disagreement MOM itself is asked."""
        if message.row.kind is not Kind.STATE:
            fact = await self._bus.find_fact(message, owner) if message.row.kind is Kind.FACT else None
            return fact if fact is None or same(fact, message) else await self._bus.whole(fact)
        latest = await self._bus.latest(message.object, message.key, site=self._site)
        if latest is not None and same(latest, message):
            return latest
        newest = await self._bus.last(MOM, filter_subject(
            site=self._site, object=message.object, verb=Verb.SYNC, system=owner, key=message.key
        ))  # fmt: skip
        said = [one for one in (latest, newest[1] if newest else None) if one is not None]
        last = max(said, key=lambda one: one.revision or 0, default=None)
        return last if last is None or same(last, message) else await self._bus.whole(last)

    async def _state(self, system: str, given: Given, statement: Message) -> Judged:
        known = await self._revisions.known(statement)
        match next_version(statement, known):
            case Message() as version:
                if statement.revision is None and known is not None and given.late():
                    return await self._late(system, given, version, known)
                return [Ready(given, version, known.seq if known else 0)]
            case Refused(reason):
                return await self.refuse(system, given, reason)
            case Older(reason):
                return Kept("older", reason)
            case Echo(reason):
                await self._custody.owner_says(statement)
                return Kept("echo", reason)

    async def _late(self, system: str, given: Given, version: Message, known: Version) -> Judged:
        """A state that only counting would make the newest. What is said in between makes publishing it a Conflict."""
        newest = await self._revisions.newest(version)
        match by_times(version, newest) if newest is not None else None:
            case Older(reason):
                return Kept("older", reason)
            case Refused(reason):
                return await self.refuse(system, given, reason)
        return [Ready(given, version, known.seq)]

    async def _other(self, system: str, given: Given, statement: Message) -> Judged:
        """A fact, or a signal: it stands for itself."""
        if statement.verb is not given.message.verb:
            statement = statement.with_revision(statement.revision or 0)
        before = self._revisions.fact(statement)
        if before is None:
            return [Ready(given, statement)]
        if before == digest(statement):
            return Kept("echo", "said before")
        return await self.refuse(system, given, contradiction(statement))

    async def _news(self, given: Given, show: Message) -> list[Ready]:
        """The owner's answer to a get may say something new: then it is its statement as well."""
        if show.verb is not Verb.SHOW or show.row.kind is not Kind.STATE or not show.content:
            return []
        if self._owners.of(show.object, show.body, show.source) != show.source:
            return []
        statement = replace(show, verb=Verb.SYNC, action=Action.CHANGE, to=None, revision=given.message.revision)
        known = await self._revisions.known(statement)
        version = next_version(statement, known)
        return [Ready(given, version, known.seq if known else 0)] if isinstance(version, Message) else []

    async def _request(self, given: Given, request: Request) -> Judged:
        asked = await self._requests.find(request.message.id)
        if asked is not None and asked.state is not Asked.OPEN:
            return Kept("echo", "asked before")
        await self._requests.record(request, datetime.now(UTC))
        return [Ready(given, request.message)]


def contradiction(fact: Message) -> str:
    """Why the second of two facts with the same id and different content is refused."""
    return (
        f"{fact.object} {fact.key} revision {fact.revision} was said before with other content: a correction has a "
        "higher revision, a second fact a key of its own"
    )
