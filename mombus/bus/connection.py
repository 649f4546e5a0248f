"""The hub's one connection to its broker."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from canonical.subjects import filter_subject, latest_subject
from canonical.wire import from_headers
from mombus.bus import claims
from mombus.bus.errors import NotReachable, StreamGone, TooFewNodes
from mombus.bus.link import Link
from mombus.bus.login import account, security
from mombus.bus.majority import keep_to_majority
from mombus.bus.publishing import LARGEST_BODY, Letter, Publisher, Stored
from mombus.bus.streams import LATEST, MOM, Limits, ensure_streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from faststream.nats import NatsBroker
    from faststream.security import BaseSecurity
    from nats.aio.client import Client
    from nats.js import JetStreamContext
    from nats.js.api import RawStreamMsg

    from canonical.message import Message

T = TypeVar("T")
PING_S = 2
RECONNECT_S = 0.25
CONNECT_TIMEOUT_S = 10.0
MAX_FACTS_READ = 1000
READ_DEADLINE_S = 60.0
_AGAIN_S = 0.05
_NO_STREAM = 10059


class Bus:
    """Publishes to the broker's streams and reads what was said last. Made by `connect`.

    What is read may travel without its body (`Message.claim`): `whole` fetches that where it is needed.

    `broker` is FastStream's, which owns the connection; `client` and `js` are nats-py's on that same connection.
    """

    def __init__(self, broker: NatsBroker, client: Client, link: Link, largest_body_bytes: int = LARGEST_BODY) -> None:
        self.broker = broker
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=5.0)
        self.link = link
        self._publisher = Publisher(self.js, link, largest_body_bytes)

    async def publish(
        self,
        message: Message,
        *,
        expect: int | None = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
    ) -> Stored:
        """Publish a message and return when it is stored; saying it twice is harmless.

        `expect` is the sequence that must be the last one of the message's subject (0: none yet). Raises Conflict,
        NotPermitted, TooLarge, StreamGone; NotStored or StreamFull after `deadline_s`, without one it waits for ever.
        """
        return await self._publisher.publish(
            Letter.of(message, expect=expect, headers=headers), deadline_s=deadline_s
        )  # fmt: skip

    async def publish_batch(
        self, messages: Sequence[Message], *, deadline_s: float | None = None
    ) -> tuple[Stored, ...]:
        """Publish messages of one stream in order, all or none; up to 1000 are one atomic batch. Raises as `publish`.

        A batch with known ids can't be stored whole: its messages are then published one by one.
        """
        return await self._publisher.publish_batch([Letter.of(m) for m in messages], deadline_s=deadline_s)

    async def publish_letters(
        self, letters: Sequence[Letter], *, deadline_s: float | None = None
    ) -> tuple[Stored, ...]:
        """As `publish_batch`, for letters that carry expectations or headers of their own."""
        return await self._publisher.publish_batch(letters, deadline_s=deadline_s)

    async def latest(self, object: str, key: str, *, site: str, system: str | None = None) -> Message | None:
        """What the owner says now about one thing (a tombstone when it was deleted), None if nobody ever said anything.

        It may be some milliseconds behind MOM. With `system` given only what that system said.
        """
        found = await self.last(LATEST, latest_subject(site, object, system, key))
        return None if found is None else found[1]

    async def last_statement(self, message: Message) -> tuple[int, Message] | None:
        """The last statement on the message's own subject in MOM, with its sequence."""
        return await self.last(MOM, filter_subject(
            site=message.site, object=message.object, verb="sync", system=message.source, lane=message.lane,
            key=message.key,
        ))  # fmt: skip

    async def last(self, stream: str, subject: str) -> tuple[int, Message] | None:
        """The last message of a stream on a subject, with its sequence; wildcards are allowed."""
        return _message(await self._get(stream, subject=subject))

    async def at(self, stream: str, seq: int) -> Message | None:
        """The message at a sequence of a stream, None when it isn't there (any more)."""
        found = _message(await self._get(stream, seq=seq))
        return None if found is None else found[1]

    async def whole(self, message: Message) -> Message:
        """The message with its body, if that is kept apart. Raises BodyGone, NotReachable."""
        return await self._surely(lambda: claims.whole(self.js, message))

    async def beginning(self, message: Message) -> bytes:
        """The beginning of a body, at least the first 64 KiB, wherever it is kept. Raises BodyGone, NotReachable."""
        return await self._surely(lambda: claims.beginning(self.js, message))

    async def _surely(self, read: Callable[[], Awaitable[T]]) -> T:
        """What is read of a body; while the broker is away it is asked again when it is back."""
        from nats.errors import Error  # noqa: PLC0415
        from nats.js.errors import APIError  # noqa: PLC0415

        deadline = asyncio.get_running_loop().time() + READ_DEADLINE_S
        while True:
            try:
                return await self.link.unless_lost(read())
            except (Error, APIError, TimeoutError, ConnectionError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise NotReachable(f"a body can't be read: {self.link.reason}") from error
            await asyncio.sleep(_AGAIN_S)
            await self.link.wait_up(READ_DEADLINE_S)

    async def letter(self, stream: str, seq: int) -> tuple[dict[str, str], bytes] | None:
        """Headers and content of what is at a sequence of a stream."""
        raw = await self._get(stream, seq=seq)
        return None if raw is None else (raw.headers or {}, raw.data or b"")

    async def dated(self, stream: str, seq: int) -> tuple[dict[str, str], bytes, datetime | None] | None:
        """As `letter`, and when it was stored."""
        raw = await self._get(stream, seq=seq)
        return None if raw is None else (raw.headers or {}, raw.data or b"", raw.time)

    async def stored(self, stream: str, subject: str) -> tuple[dict[str, str], bytes] | None:
        """Headers and content of the last thing on a subject that isn't a message: a raw document, a notification."""
        raw = await self._get(stream, subject=subject)
        return None if raw is None else (raw.headers or {}, raw.data or b"")

    async def find_fact(self, message: Message, system: str) -> Message | None:
        """What `system` said last about the same fact, looked for in the last messages of its lane."""
        subject = filter_subject(
            site=message.site, object=message.object, verb="sync", system=system, lane=message.lane, key=""
        )
        found, seq = None, 1
        for _ in range(MAX_FACTS_READ):
            raw = _message(await self._get(MOM, seq=seq, subject=subject, next=True))
            if raw is None:
                break
            if raw[1].key == message.key:
                found = raw[1]
            seq = raw[0] + 1
        return found

    async def stream_created(self, stream: str) -> datetime:
        """When a stream was made: a later time than the one remembered means that its store was wiped."""
        from nats.js.errors import NotFoundError  # noqa: PLC0415

        try:
            created = (await self.js.stream_info(stream)).created
        except NotFoundError:
            raise StreamGone(
                f"the stream {stream} doesn't exist: it was deleted or the broker's store was wiped"
            ) from None
        if created is None:
            raise StreamGone(f"the broker doesn't tell when {stream} was created")
        return created

    async def _get(self, stream: str, **which: Any) -> RawStreamMsg | None:
        """A message of a stream; while the broker is away it is asked again when it is back."""
        from nats.errors import Error  # noqa: PLC0415
        from nats.js.errors import APIError, NotFoundError  # noqa: PLC0415

        deadline = asyncio.get_running_loop().time() + READ_DEADLINE_S
        while True:
            try:
                return await self.link.unless_lost(self.js.get_msg(stream, **which))
            except NotFoundError as missing:
                if missing.err_code == _NO_STREAM:
                    raise StreamGone(f"the stream {stream} doesn't exist any more") from None
                return None
            except (Error, APIError, TimeoutError, ConnectionError) as error:
                if asyncio.get_running_loop().time() > deadline:
                    raise NotReachable(f"{stream} can't be read: {self.link.reason}") from error
            await asyncio.sleep(_AGAIN_S)
            await self.link.wait_up(READ_DEADLINE_S)


@asynccontextmanager
async def connect(
    servers: str,
    *,
    name: str = "mombus",
    token: str | None = None,
    credentials: Path | None = None,
    ca: Path | None = None,
    observe: Callable[[str], None] | None = None,
    limits: Limits | None = None,
    timeout_s: float = CONNECT_TIMEOUT_S,
    largest_body_bytes: int = LARGEST_BODY,
) -> AsyncIterator[Bus]:
    """Connect to NATS at `servers` (URLs with commas between), make its streams ready and yield the bus.

    Credentials are a token, a credentials file (`login.py`), or user and password of the first URL; `ca` is the
    authority of the broker's certificate. A connection that is lost comes back by itself, for ever, in a cluster to a
    node that can store; `observe` is told in a sentence. With `limits` None the streams are left alone: for parts that
    have none, and commands that only look. A body over `largest_body_bytes` is not taken. Raises NotReachable,
    NotPermitted, TooFewNodes.
    """
    link = Link(observe, account(servers, token, credentials))
    broker = _broker(servers, name, link, security(servers, token, credentials, ca))
    try:
        async with asyncio.timeout(timeout_s):
            client = await broker.connect()
    except Exception as error:
        raise NotReachable(f"no broker at {_public(servers)}: {link.reason or error}") from error
    link.connected()
    bus = Bus(broker, client, link, largest_body_bytes)
    moving = asyncio.create_task(keep_to_majority(client, link, bus.js if limits else None), name="broker's majority")
    try:
        if limits is not None:
            await _ready(bus, limits, timeout_s)
        yield bus
    finally:
        moving.cancel()
        link.leave()
        await _close(broker, client)


async def _ready(bus: Bus, limits: Limits, timeout_s: float) -> None:
    """JetStream of a broker that has just started may not answer at once, nor all nodes of a cluster."""
    from nats.errors import NoRespondersError  # noqa: PLC0415
    from nats.js.errors import ServiceUnavailableError  # noqa: PLC0415

    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        try:
            return await ensure_streams(bus.js, limits)
        except (NoRespondersError, ServiceUnavailableError, TimeoutError, TooFewNodes) as error:
            if asyncio.get_running_loop().time() > deadline:
                if isinstance(error, TooFewNodes):
                    raise
                raise NotReachable("the broker has no JetStream: start it with `-js` or enable it") from error
            await asyncio.sleep(0.05)


def _broker(servers: str, name: str, link: Link, security: BaseSecurity | None) -> NatsBroker:
    from faststream.nats import NatsBroker  # noqa: PLC0415 - heavy, only who connects needs it

    urls = [urlsplit(server.strip()) for server in servers.split(",")]
    return NatsBroker(
        [_bare(url) for url in urls],
        name=name,
        security=security,
        logger=None,
        apply_types=False,
        max_reconnect_attempts=-1,
        dont_randomize=True,  # the next one of a cluster, not the same again
        reconnect_time_wait=RECONNECT_S,  # type: ignore[arg-type] # a fraction of a second is fine
        ping_interval=PING_S,
        max_outstanding_pings=2,
        error_cb=link.failed,
        disconnected_cb=link.disconnected,
        reconnected_cb=link.reconnected,
        closed_cb=link.closed,
        connect_timeout=2,
        drain_timeout=5,
        graceful_timeout=5.0,
    )


async def _close(broker: NatsBroker, client: Client) -> None:
    """Say goodbye; a broker that doesn't answer any more isn't waited for.

    The client is closed before the broker is stopped: draining would wait for pulled messages that nobody takes any
    more. Who listens is stopped before that: with a client that is closed they can't be, and would stay for ever.
    """
    for subscriber in broker.subscribers:
        with contextlib.suppress(Exception):
            await subscriber.stop()
    await client.close()
    with contextlib.suppress(Exception):
        await broker.stop()


def _bare(url: Any) -> str:
    return f"{url.scheme or 'nats'}://{url.netloc.rpartition('@')[2]}"


def _public(servers: str) -> str:
    """The servers without their credentials, for texts."""
    return ", ".join(_bare(urlsplit(server.strip())) for server in servers.split(","))


def _message(raw: RawStreamMsg | None) -> tuple[int, Message] | None:
    if raw is None:
        return None
    return raw.seq or 0, from_headers(raw.headers or {}, raw.data or b"")
