"""The hub's intake, for connectors in other processes: items over the bus, answered once they are stored or kept.

The connector's side asks again whenever an answer is lost: taking an item in twice has the effect of once, since the
ids, contents and revisions of its messages come from the item alone (see `mombus/bus/intake.py`). The bookmark moves in
the hub's journal, with the item; the connector is told to settle only after that. A kill anywhere in between means that
the item is read, or sent, again.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from canonical.message import Message, message_id
from connectors.connector import Fault, Item, Outcome
from mombus.bus.calls.answerer import Answerer
from mombus.bus.calls.caller import Caller
from mombus.bus.calls.framing import Failure, intake_base
from mombus.bus.errors import BusError, NotReachable
from mombus.bus.items import ItemError, pack, unpack
from mombus.hub.apart.carrying import pack_outcomes, unpack_outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.client import Client

    from connectors.connector import Gap
    from mombus.bus.calls.framing import Call
    from mombus.hub.connecting import TakesIn
    from mombus.journal.bookmarks import Term

NOT_STORED = "not stored"
BOOKMARK_S = 10.0
AGAIN_S = 1.0
MOST_SAID = 32 * 1024 * 1024
"""Bytes of all that an item says beside its documents and bodies; in memory it takes twenty times as much."""
NOBODY = "the hub doesn't take anything in: its part `delivery` doesn't run, or isn't ready"


class FarIntake:
    """The intake of a hub in another process, as a connector's process sees it."""

    def __init__(self, client: Client, site: str) -> None:
        self._caller = Caller(client, intake_base(site), NOBODY)

    async def accept(self, system: str, item: Item, _term: Term | None = None) -> Sequence[Outcome]:
        """As `Intake.accept`. Raises BusError while nobody takes it in or the answer is lost: try it again then.

        One process reads a system apart, so that there are no terms.
        """
        try:
            outcomes = unpack_outcomes(await self._caller.call(system, "item", pack(item), once=True))
        except Failure as failed:
            if failed.kind == NOT_STORED:
                raise NotReachable(failed.text) from failed
            raise
        if not outcomes:
            outcomes = [_unread(one) for one in item.messages]
        if item.settle is not None:
            await item.settle(outcomes)
        return outcomes

    async def bookmark(self, system: str, _term: Term | None = None) -> str | None:
        """As `Intake.bookmark`; waits until the hub answers."""
        while True:
            try:
                found: str | None = json.loads(await self._caller.call(system, "bookmark", timeout_s=BOOKMARK_S))
            except (BusError, Failure):
                await asyncio.sleep(AGAIN_S)
            else:
                return found

    async def unready(self, system: str) -> str | None:
        """Why the hub can't be handed anything of that system; None if it can."""
        try:
            await self._caller.call(system, "ready", timeout_s=BOOKMARK_S)
        except (BusError, Failure) as error:
            return str(error)
        return None


class IntakeDoor:
    """The hub's side. Several hubs share the work: each item goes to one of them."""

    def __init__(self, client: Client, site: str, intake: TakesIn, systems: frozenset[str]) -> None:
        self._intake = intake
        self._systems = systems
        self._answerer = Answerer(client, intake_base(site), self._answer, queue="hub")

    async def start(self) -> None:
        """Begin to take in."""
        await self._answerer.start()

    async def stop(self, within_s: float) -> None:
        """Take in nothing new; finish what is being stored."""
        await self._answerer.stop(within_s)

    async def _answer(self, call: Call) -> bytes:
        if call.system not in self._systems:
            raise Failure("unexpected", f"there is no system '{call.system}' here")
        try:
            match call.name:
                case "item":
                    return pack_outcomes(await self._accept(call.system, _item(call.content)))
                case "ready":
                    return b""
                case "bookmark":
                    return json.dumps(await self._intake.bookmark(call.system)).encode()
        except (BusError, SQLAlchemyError) as error:
            raise Failure(NOT_STORED, str(error).splitlines()[0]) from error
        raise Failure("unexpected", f"the intake knows no call '{call.name}'")

    async def _accept(self, system: str, item: Item) -> Sequence[Outcome]:
        messages = tuple(_under_own_id(system, one) if isinstance(one, Message) else one for one in item.messages)
        outcomes = await self._intake.accept(system, replace(item, messages=messages))
        return [
            replace(outcome, message_id=one.id) if isinstance(one, Message) else outcome
            for one, outcome in zip(item.messages, outcomes, strict=True)
        ]


def _item(content: bytes) -> Item:
    """The item that a part said; what can't be read, as between two releases, is kept with its reason as a fault."""
    try:
        return unpack(content, most=MOST_SAID)
    except ItemError as error:
        return Item(faults=(Fault("item", f"{error}: do all parts run the same release?", content),))


def _unread(said: Message | Gap) -> Outcome:
    """What became of a message of an item that the hub couldn't read."""
    id, key = (said.id, said.key) if isinstance(said, Message) else ("", said.what)
    return Outcome(id, key, accepted=False, reason="the hub can't read it and has kept it: `mombus kept` shows why")


def _under_own_id(system: str, message: Message) -> Message:
    """The message under an id that no other system's message can have: ids decide what was said and dealt with before.

    Ids are made from the system's name, and of what a reading says. One that isn't is put into the system's own; what
    it says of ids of that kind (`revises`, `reverses`) then follows.
    """
    digest = blake2b(message.content, digest_size=8).hexdigest()
    made = {
        message_id(system, message.object, message.verb, message.key, what) for what in (str(message.revision), digest)
    }
    if message.id in made:
        return message
    return replace(
        message, id=_own(system, message.id), revises=message.revises and _own(system, message.revises),
        reverses=message.reverses and _own(system, message.reverses),
    )  # fmt: skip


def _own(system: str, id: str) -> str:
    return message_id(system, "", "", id, "")
