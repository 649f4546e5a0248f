"""A system whose connector runs in another process (`mombus run --part connectors:…`), as the hub sees it.

What a connector takes and gives is known from its configuration, so that a hub starts without the other process; every
call goes over the bus. It behaves like the connector itself: nobody there is NotConnected, since nothing was sent; an
answer that doesn't come is OutcomeUnknown, and is read back or shown to a person like that of any target. When the
other process is killed before its target was called, reading back says Absent and it is sent; after it, it is found.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from pydantic import ValidationError

from connectors.connector import (
    Absent,
    Accept,
    Answers,
    ConnectorConfig,
    ConnectorError,
    NotConnected,
    Offer,
    OutcomeUnknown,
    Probe,
    Receipt,
    Sink,
)
from connectors.exchange import pass_on
from mombus.bus.calls.caller import Caller
from mombus.bus.calls.framing import Failure, connectors_base
from mombus.bus.errors import AnswerLost, NobodyAnswers
from mombus.hub.apart.carrying import pack_messages, raised, unpack_answers, unpack_messages, unpack_noted
from mombus.hub.apart.overheard import heard
from mombus.hub.apart.told import MOST_TEXT, Told, down
from mombus.hub.session import Condition, Session
from mombus.ownership.decision import is_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from nats.aio.client import Client

    from canonical.message import Message
    from connectors.connector import Connector
    from connectors.exchange import Noted

CALL_S = 30.0
"""How long a call that changes nothing may take."""
PROBE_S = 2.0
WATCH_S = 2.0


Refused: TypeAlias = "Callable[[str, str, str], None]"
"""Is told the account, what it tried and why it may not."""


def _nobody_is_told(account: str, what: str, why: str) -> None:
    """Until the hub can note refusals."""


class Remote:
    """A connector in another process. `remote` makes one; `refused` is told when it answers in another's name."""

    Config: ClassVar[type[ConnectorConfig]] = ConnectorConfig
    summary: ClassVar[str] = "A connector in another process."

    def __init__(self, caller: Caller, system: str) -> None:
        self._caller = caller
        self._system = system
        self.refused: Refused = _nobody_is_told

    async def connect(self) -> None:
        """Have it open its connection, unless it has since it was asked last."""
        await self._ask("connect", timeout_s=CALL_S)

    async def close(self) -> None:
        """Its process closes it."""

    async def probe(self) -> Probe:
        """What its process says, or that nobody runs it."""
        said = await self.said()
        return Probe(said.health, said.reason, said.last_data)

    async def said(self) -> Told:
        """As `Session.said`, from its process. What makes no sense is as good as no answer."""
        try:
            return Told.model_validate_json(await self._ask("probe", timeout_s=PROBE_S))
        except ValidationError as error:
            return down(f"its process says what makes no sense: {error.error_count()} fields are wrong")
        except Exception as error:  # noqa: BLE001 - whatever came from there, the others are asked on
            return down(str(error)[:MOST_TEXT])

    async def resume(self) -> None:
        """A person says that it may work again. Raises NotConnected, OutcomeUnknown."""
        await self._ask("resume", timeout_s=CALL_S)

    async def _ask(
        self, name: str, content: bytes = b"", *, timeout_s: float | None = None, once: bool = False
    ) -> bytes:
        """The one place where what goes wrong between the processes becomes an error of the connectors' tree."""
        try:
            return await self._caller.call(self._system, name, content, timeout_s=timeout_s, once=once)
        except NobodyAnswers as error:
            raise NotConnected(str(error)) from error
        except AnswerLost as error:
            raise OutcomeUnknown(str(error)) from error
        except Failure as failed:
            raise raised(failed) from failed


class RemoteSink(Remote):
    """One that is written to."""

    accepts: Mapping[Offer, Accept]

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """As `Sink.write`; delivery limits how long it may take."""
        answers = unpack_answers(await self._overheard("write", messages, once=True))
        if len(answers) != len(messages):
            raise OutcomeUnknown(f"its process gave {len(answers)} results for {len(messages)} messages")
        return [_result(self._own(answer, one)) for answer, one in zip(answers, messages, strict=True)]

    async def find(self, message: Message) -> Receipt | Absent:
        """As `Sink.find`."""
        found, *more = unpack_answers(await self._overheard("find", [message]))
        found = self._own(found, message)
        if isinstance(found, Exception) or more:
            raise found if isinstance(found, Exception) else OutcomeUnknown("its process gave more than one result")
        return found

    async def _overheard(self, name: str, messages: Sequence[Message], *, once: bool = False) -> bytes:
        """The answer; what its process exchanged with the system is passed on, also when that went wrong."""
        ids = [message.id for message in messages]
        try:
            answer = await self._ask(name, pack_messages(messages), once=once)
        except Exception as error:
            if isinstance(error.__cause__, Failure):
                _pass_on(heard(error.__cause__.more.get("exchanges"), ids))
            raise
        _pass_on(unpack_noted(answer, ids))
        return answer

    def _own(self, answer: Receipt | Absent | Exception, message: Message) -> Receipt | Absent | Exception:
        """The answer; what it replies in another's name, or without being asked that, is never published."""
        reply = answer.reply if isinstance(answer, Receipt) else None
        if reply is None or (
            is_reply(reply) and (reply.source, reply.site, reply.object) == (self._system, message.site, message.object)
        ):
            return answer
        why = f"its reply is refused: {self._system} can't say {reply.verb} {reply.object} of {reply.source}"
        self.refused(self._system, f"answer with {reply.verb} {reply.object} of {reply.source}", why)
        return OutcomeUnknown(why)


class RemoteAnswers(Remote):
    """One that answers gets."""

    async def answer(self, get: Message) -> AsyncIterator[Message]:
        """As `Answers.answer`."""
        for show in unpack_messages(await self._ask("answer", pack_messages([get]))):
            yield show


class RemoteBoth(RemoteSink, RemoteAnswers):
    """One that does both."""


def remote(client: Client, site: str, system: str, here: Connector) -> Remote:
    """The connector of a system that another process runs. `here` is made from the same configuration, not used."""
    nobody = f"nobody runs {system}: start it with `mombus run --part connectors:{system}`"
    caller = Caller(client, connectors_base(site), nobody)
    if isinstance(here, Sink):
        sink = (RemoteBoth if isinstance(here, Answers) else RemoteSink)(caller, system)
        sink.accepts = here.accepts
        return sink
    return (RemoteAnswers if isinstance(here, Answers) else Remote)(caller, system)


class RemoteSession(Session):
    """The connection of such a system: how it is, is what its process says."""

    apart = True

    def __init__(self, system: str, kind: str, connector: Remote) -> None:
        super().__init__(system, kind, connector)
        self._remote = connector
        self.reason = "nobody has said yet that it runs it"
        self._told: Told | None = None

    async def probe(self) -> Probe:
        """Ask its process."""
        said = await self._remote.said()
        self.mark(said.condition, "" if said.condition is Condition.OK else said.reason)
        self.last_data = said.last_data or self.last_data
        self._told = said
        self.examined = said.examined.model_dump(mode="json") if said.examined else None
        return Probe(said.health, said.reason, self.last_data)

    async def seen(self) -> Probe:
        """As its process said last: one that stands still keeps nobody from telling of all the others."""
        said = self._told or down(self.reason)
        return Probe(said.health, said.reason, self.last_data)

    def door(self) -> Mapping[str, Any] | None:
        """What its process said of it last."""
        return self._told.door.model_dump() if self._told and self._told.door else None

    def spool(self) -> Mapping[str, Any] | None:
        """As its process said last."""
        if self._told is None or self._told.spool is None:
            return None
        return {"system": self.system, **self._told.spool.model_dump(mode="json")}

    def disk(self) -> str | None:
        """As its process said last."""
        return self._told.disk if self._told else None

    def settings(self) -> str | None:
        """A digest of what its process goes by, as it said last; None if it doesn't say."""
        return self._told.settings if self._told else None

    async def resume(self) -> None:
        """Tell its process. Raises NotConnected, OutcomeUnknown."""
        await self._remote.resume()

    def tell_refusals(self, to: Refused) -> None:
        """Tell what its process tries in another's name."""
        self._remote.refused = to

    async def watch(self) -> None:
        """Keep what is known of it up to date, for ever."""
        while True:
            await self.probe()
            await asyncio.sleep(WATCH_S)


def _pass_on(noted: Sequence[Noted]) -> None:
    for one in noted:
        pass_on(one)


def _result(answer: Receipt | Absent | Exception) -> Receipt | ConnectorError:
    match answer:
        case Receipt() | ConnectorError():
            return answer
        case Absent():
            return OutcomeUnknown("the connector's process answered a write as if it were a question")
    return OutcomeUnknown(str(answer))
