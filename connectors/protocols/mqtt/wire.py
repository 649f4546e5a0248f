"""Two connections to one broker: a persistent session to read from, a clean one to write and to be answered on.

They are two because a session has one window of unacknowledged messages: letters that wait to be stored must not hold
up the replies.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from connectors.connector import ConnectorError, Gap, Health, NotConnected, OutcomeUnknown, Probe
from connectors.exchange import calling
from connectors.protocols.mqtt.settings import MqttConfig, tls_context

if TYPE_CHECKING:
    from connectors.connector import Surroundings
    from connectors.protocols.mqtt.link import Letter, Link

MAX_WAITING_BYTES = 32 * 1024 * 1024
OFFLINE = b"offline"
_PROBE_S = 0.9


class Mailbox:
    """What arrived and waits to be read, bounded. What doesn't fit is left with the broker, or counted."""

    def __init__(self, max_letters: int, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self.news = asyncio.Event()
        self.overflowed = False
        """A letter was left with the broker unacknowledged: only a new connection makes it send that again."""
        self.lost = 0
        """Letters of QoS 0 that didn't fit: the broker keeps no copy of them."""
        self.lost_since: datetime | None = None
        self._letters: deque[Letter] = deque()
        self._room, self._room_bytes = max_letters, max_bytes

    def put(self, letter: Letter) -> None:
        """Take a letter, in the order of arrival; after an overflow nothing that the broker repeats anyway."""
        size = len(letter.payload)
        if self._letters and (len(self._letters) >= self._room or size > self._room_bytes):
            self._refuse(letter)
        elif self.overflowed and letter.qos:
            return
        else:
            self._letters.append(letter)
            self._room_bytes -= size
        self.news.set()

    def _refuse(self, letter: Letter) -> None:
        if letter.qos:
            self.overflowed = True
        else:
            self.lost += 1
            self.lost_since = self.lost_since or datetime.now(UTC)

    def get(self) -> Letter | None:
        """The oldest letter, if there is one."""
        if not self._letters:
            self.news.clear()
            return None
        letter = self._letters.popleft()
        self._room_bytes += len(letter.payload)
        return letter


class MqttWire:
    """Reads `topics` and writes to one broker; `replies` is the topic filter under which answers come.

    `presence` is a retained topic on which the system behind the broker says `offline`, by its last will too; one that
    never says so counts as there.
    """

    def __init__(
        self, config: MqttConfig, surroundings: Surroundings, topics: Sequence[str], replies: str, presence: str
    ) -> None:
        self._config, self._surroundings = config, surroundings
        self._topics, self._replies, self._presence = tuple(topics), replies, presence
        self._present = True
        self._reader: Link | None = None
        self._writer: Link | None = None
        self._mailbox = Mailbox(config.max_waiting)
        self._answers: dict[str, asyncio.Future[bytes]] = {}
        self._connecting = asyncio.Lock()
        self._last_data: datetime | None = None
        self._outage_since: datetime | None = None

    async def connect(self) -> None:
        """Open what isn't open. Raises NotConnected, RetryableError, Halted, ConfigError."""
        async with self._connecting:
            if _alive(self._reader) is None or _alive(self._writer) is None:
                tls = await asyncio.to_thread(tls_context, self._config, self._surroundings)
                await self._open_writer(tls)
                await self._open_reader(tls)

    async def _open_writer(self, tls: ssl.SSLContext | None) -> None:
        if _alive(self._writer) is None:
            identifier = f"{self._session}-{uuid4().hex[:8]}"
            self._writer = await self._open(self._writer, identifier, tls, (self._replies, self._presence))

    async def _open_reader(self, tls: ssl.SSLContext | None) -> None:
        if _alive(self._reader) is None:
            if self._reader is not None:
                self._outage_since = self._outage_since or self._last_data
            self._mailbox = Mailbox(self._config.max_waiting)
            self._reader = await self._open(self._reader, self._session, tls, self._topics)
            self._last_data = datetime.now(UTC)

    async def _open(self, old: Link | None, identifier: str, tls: ssl.SSLContext | None, topics: Sequence[str]) -> Link:
        from connectors.protocols.mqtt.link import Link  # noqa: PLC0415 - the client is heavy

        if old is not None:
            await old.shut()
        keep = identifier == self._session
        link = Link(self._config, tls, identifier, self._mailbox.put if keep else self._answered, keep_session=keep)
        await link.open()
        try:
            await link.listen(topics)
        except BaseException:
            await link.shut()
            raise
        return link

    @property
    def _session(self) -> str:
        return self._config.client_id or f"mombus-{self._surroundings.site}-{self._surroundings.system}"

    async def close(self) -> None:
        """End both connections; the broker keeps the session. Never raises."""
        for link in (self._reader, self._writer):
            if link is not None:
                await link.shut()
        self._reader = self._writer = None

    async def read(self, since: datetime | None) -> AsyncGenerator[Letter | Gap]:
        """Yield letters and, first, what may have been missed since the last one that was stored at `since`.

        Raises NotConnected when the connection is lost, or when letters wait at the broker that only a new connection
        makes it send again.
        """
        link, mailbox = _alive(self._reader), self._mailbox
        if link is None:
            raise NotConnected("there is no connection to read from")
        gap = self._gap(link, since)
        if gap is not None:
            yield gap
            self._outage_since = None
        while True:
            letter = mailbox.get()
            if letter is not None:
                self._last_data = datetime.now(UTC)
                yield letter
            elif mailbox.lost_since is not None:
                yield self._overflow(mailbox, mailbox.lost_since)
            elif mailbox.overflowed:
                await link.shut()
                raise NotConnected("more came than could be stored: connecting again for what the broker kept")
            else:
                await link.during(mailbox.news.wait())

    def _gap(self, link: Link, since: datetime | None) -> Gap | None:
        """What may be missing at the start of reading. `lost` 0: the broker kept everything of QoS 1."""
        outage = self._outage_since
        start = outage or since
        if start is None or (link.session_present and outage is None):
            return None
        if link.session_present:
            reason, lost = (
                "there was no connection; the broker kept our session, so QoS 1 messages of that time follow",
                0,
            )
        else:
            reason, lost = "the broker doesn't know our session any more: what was published meanwhile is gone", None
        return Gap(self._topics[0], start, reason, until=datetime.now(UTC), lost=lost)

    def _overflow(self, mailbox: Mailbox, since: datetime) -> Gap:
        lost, mailbox.lost, mailbox.lost_since = mailbox.lost, 0, None
        reason = f"more than {self._config.max_waiting} messages waited; those of QoS 0 were dropped"
        return Gap(self._topics[0], since, reason, until=datetime.now(UTC), lost=lost)

    async def ask(self, topic: str, payload: bytes, reply_topic: str) -> bytes:
        """Publish and wait for what comes back on `reply_topic`.

        Raises NotConnected if nothing was sent, OutcomeUnknown if it was and no answer came.
        """
        link = _alive(self._writer)
        if link is None:
            raise NotConnected("there is no connection to the broker; nothing was sent")
        if not self._present:
            raise NotConnected(f"{self._presence} says that the system is offline; nothing was sent")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[reply_topic] = answer
        try:
            with calling(f"publish {topic}", payload) as noted:
                await link.send(topic, payload)
                content = await self._answer(link, answer, reply_topic)
                noted.answered(content, status=f"answered on {reply_topic}", media_type="application/json")
            return content
        finally:
            self._answers.pop(reply_topic, None)

    async def _answer(self, link: Link, answer: asyncio.Future[bytes], reply_topic: str) -> bytes:
        try:
            async with asyncio.timeout(self._config.reply_timeout_s):
                return await link.during(answer)
        except TimeoutError:
            raise OutcomeUnknown(f"no answer on {reply_topic} in {self._config.reply_timeout_s:g} s") from None
        except NotConnected as error:
            raise OutcomeUnknown(f"the connection ended before an answer on {reply_topic} came") from error

    def _answered(self, letter: Letter) -> None:
        letter.ack()
        if letter.topic == self._presence:
            self._present = letter.payload != OFFLINE
            return
        answer = self._answers.get(letter.topic)
        if answer is not None and not answer.done():
            answer.set_result(letter.payload)

    async def probe(self) -> Probe:
        """Ask the broker for something it must answer. Never raises."""
        link = _alive(self._writer)
        if link is None or _alive(self._reader) is None:
            return Probe(Health.DOWN, f"no connection to {self._config.url}", self._last_data)
        try:
            async with asyncio.timeout(_PROBE_S):
                await link.listen((self._replies,))
        except (TimeoutError, ConnectorError) as error:
            reason = str(error) or f"{self._config.url} didn't answer in {_PROBE_S:g} s"
            return Probe(Health.DOWN, reason, self._last_data)
        if not self._present:
            return Probe(Health.DEGRADED, f"{self._presence} says that the system is offline", self._last_data)
        return Probe(Health.OK, last_data=self._last_data)


def _alive(link: Link | None) -> Link | None:
    return None if link is None or link.lost else link
