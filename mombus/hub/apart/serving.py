"""A system's connector, served to the hub's delivery over the bus: the far end of `mombus/hub/apart/remote.py`."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from canonical.subjects import token
from connectors.connector import Answers, OutcomeUnknown, PermanentError, Sink
from connectors.exchange import listening
from mombus.bus.calls.answerer import Answerer
from mombus.bus.calls.framing import Failure, connectors_base, room
from mombus.hub.apart.carrying import failure, pack_answers, pack_messages, unpack_messages
from mombus.hub.session import reconnecting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from nats.aio.client import Client

    from canonical.message import Message
    from connectors.connector import Absent, ConnectorError, Receipt
    from connectors.exchange import Noted
    from mombus.bus.calls.framing import Call
    from mombus.hub.session import Session

MOST_NOTED = 200
"""Calls of one write or one reading back that are told of, the last of more."""


class Serving:
    """Answers the hub for the systems of this process.

    A hub that gave up waiting may ask about a message that is still being written here: then neither "it is there" nor
    "it isn't" is true, and writing it again could do it twice. So such a question is answered with OutcomeUnknown.
    `settings` are digests of what each system goes by here; `disk` tells what people should know of the disk of this
    process.
    """

    def __init__(
        self, client: Client, site: str, sessions: Mapping[str, Session], settings: Mapping[str, str],
        *, disk: Callable[[], str | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._client = client
        self._sessions = sessions
        self._settings = settings
        self._disk = disk
        self._connects = {name: reconnecting(session) for name, session in sessions.items()}
        self._writing: set[tuple[str, str]] = set()
        self._answerer = Answerer(client, connectors_base(site), self._answer)

    async def start(self) -> None:
        """Begin to answer."""
        for system in self._sessions:
            await self._answerer.start(token(system))

    async def stop(self, within_s: float) -> None:
        """Take nothing new; finish what is being written."""
        await self._answerer.stop(within_s)

    async def _answer(self, call: Call) -> bytes:
        session = self._sessions[call.system]
        try:
            match call.name:
                case "connect":
                    await self._connects[call.system]()
                    return b""
                case "probe":
                    told = {"disk": self._disk(), "settings": self._settings[call.system]}
                    return json.dumps({**await session.said(), **told}).encode()
                case "resume":
                    await session.resume()
                    return b""
                case "write":
                    return await self._write(session, call.content)
                case "find":
                    return await self._find(session, call.content)
                case "answer":
                    return await _shows(session.connector, call.content)
        except Failure:
            raise
        except Exception as error:
            raise failure(error) from error
        raise Failure("unexpected", f"a connector knows no call '{call.name}'")

    async def _write(self, session: Session, content: bytes) -> bytes:
        messages = unpack_messages(content)
        things = {(session.system, message.id) for message in messages}
        self._not_twice(things)
        sink = _sink(session)
        self._writing |= things
        try:
            return await self._overheard(sink.write(messages), messages)
        finally:
            self._writing -= things

    async def _find(self, session: Session, content: bytes) -> bytes:
        (message,) = unpack_messages(content)
        self._not_twice({(session.system, message.id)})
        return await self._overheard(_alone(_sink(session).find(message)), (message,))

    def _not_twice(self, things: set[tuple[str, str]]) -> None:
        if things & self._writing:
            raise OutcomeUnknown("it is being written right now")

    async def _overheard(
        self, answering: Awaitable[Sequence[Receipt | Absent | ConnectorError]], messages: Sequence[Message]
    ) -> bytes:
        """The answers with what was exchanged for them. Raises Failure, which says that too."""
        noted: deque[Noted] = deque(maxlen=MOST_NOTED)
        try:
            with listening(noted.append, tuple(message.id for message in messages)):
                answers = await answering
        except Exception as error:
            raise failure(error, noted, room(self._client)) from error
        return pack_answers(answers, noted, room(self._client))


async def _alone(finding: Awaitable[Receipt | Absent]) -> Sequence[Receipt | Absent]:
    return [await finding]


def _sink(session: Session) -> Sink:
    if not isinstance(session.connector, Sink):
        raise PermanentError(f"{session.kind} takes nothing: do all parts run the same release and configuration?")
    return session.connector


async def _shows(connector: Any, content: bytes) -> bytes:
    (get,) = unpack_messages(content)
    if not isinstance(connector, Answers):
        raise PermanentError("the connector answers no gets: do all parts run the same release and configuration?")
    return pack_messages([show async for show in connector.answer(get)])
