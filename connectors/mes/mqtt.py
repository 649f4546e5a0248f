"""An MES that speaks JSON over MQTT.

It says things on `<prefix>/out/<object>/<verb>`. It is told things on `<prefix>/in/<object>/<verb>` and answers on the
`replyTo` of each; told again under the same `msgId` it does nothing and answers the same. The question
`<prefix>/in/receipt/get` is answered with what became of a `msgId`. While the retained topic `<prefix>/status` says
`offline` it is told nothing; everything waits for it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, ValidationError

from canonical.message import Message
from canonical.objects import KeyMissingError
from connectors.connector import (
    Absent,
    Accept,
    ConnectorError,
    Effect,
    Fault,
    Gap,
    Item,
    Level,
    Offer,
    OutcomeUnknown,
    Probe,
    Receipt,
    Rejected,
    Rendered,
    RetryableError,
)
from connectors.exchange import about
from connectors.mes.native import Native, Reply
from connectors.mes.orders import REPLIES, REQUESTED, WRITERS, document
from connectors.mes.reports import READERS, Said
from connectors.protocols.mqtt.settings import MqttConfig
from connectors.protocols.mqtt.wire import MqttWire
from connectors.strict_json import StrictJsonError, read_object

if TYPE_CHECKING:
    from connectors.connector import Outcome, Raw, Surroundings
    from connectors.protocols.mqtt.link import Letter

KEPT_OF_TOO_LONG = 64 * 1024
"""How much of a message that is too long is kept for a person to look at."""


class MesMqttConfig(MqttConfig):
    """An MES behind an MQTT broker."""

    prefix: str = Field(
        default="mes", pattern=r"^[^+#/\s][^+#\s]*[^+#/\s]$", description="What all topics of the MES begin with."
    )


class MesMqtt:
    """Reads and tells an MES over MQTT."""

    Config: ClassVar[type[MesMqttConfig]] = MesMqttConfig
    summary: ClassVar[str] = "An MES with JSON messages on MQTT topics"
    offers: frozenset[Offer] = frozenset(READERS)
    accepts: Mapping[Offer, Accept] = {
        offer: Accept(effect=Effect.IDEMPOTENT, concurrency=16, level=Level.ACCEPTED)
        for offer in (
            *(Offer(name) for name in WRITERS),
            *(Offer(name, verb) for name in REQUESTED for verb in REPLIES),
        )
    }

    def __init__(self, config: MesMqttConfig, surroundings: Surroundings) -> None:
        self._config, self._surroundings = config, surroundings
        self._replies = f"{config.prefix}/reply"
        topics = (f"{config.prefix}/out/+/+",)
        self._wire = MqttWire(config, surroundings, topics, f"{self._replies}/+", f"{config.prefix}/status")

    async def connect(self) -> None:
        """Open what isn't open; the broker keeps messages for this system from the first time on."""
        await self._wire.connect()

    async def close(self) -> None:
        """Hang up; the broker goes on keeping what comes."""
        await self._wire.close()

    async def probe(self) -> Probe:
        """Whether the broker answers."""
        return await self._wire.probe()

    async def read(self, bookmark: str | None) -> AsyncIterator[Item]:
        """Yield what the MES says; the broker may forget a message only when it was settled."""
        since = datetime.fromisoformat(bookmark) if bookmark else None
        async with aclosing(self._wire.read(since)) as letters:
            async for letter in letters:
                now = datetime.now(UTC).isoformat()
                yield Item(messages=(letter,), bookmark=now) if isinstance(letter, Gap) else self._item(letter, now)

    def _item(self, letter: Letter, bookmark: str) -> Item:
        messages, faults = self._read(letter.topic, letter.payload)
        raw = letter.payload if len(letter.payload) <= self._config.max_bytes else None
        settle = partial(_settled, letter) if letter.qos else None
        return Item(messages=messages, faults=faults, raw=raw, channel=letter.topic, bookmark=bookmark, settle=settle)

    async def translate(self, raw: Raw) -> Item:
        """What a payload says; `channel` is its topic."""
        messages, faults = self._read(raw.channel or "", raw.content)
        return Item(messages=messages, faults=faults)

    def _read(self, topic: str, payload: bytes) -> tuple[tuple[Message, ...], tuple[Fault, ...]]:
        try:
            native, said = self._heard(topic, payload)
            return tuple(self._message(offer, native, thing) for offer, thing in said), ()
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = "/".join(str(step) for step in first["loc"])
            more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
            reason = f"{place}: {first['msg']}{more}" if place else f"{first['msg']}{more}"
        except (StrictJsonError, KeyMissingError) as error:
            reason = str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one letter must not hold up the next
            reason = f"it can't be understood: {type(error).__name__}: {error}"
        return (), (Fault(topic, reason, payload[:KEPT_OF_TOO_LONG]),)

    def _heard(self, topic: str, payload: bytes) -> tuple[Native, list[tuple[Offer, Said]]]:
        object_, verb = topic.removeprefix(f"{self._config.prefix}/out/").split("/")
        offer = next((known for known in READERS if known == (object_, verb)), None)
        if offer is None:
            known = ", ".join(f"{name}/{verb}" for name, verb in sorted(READERS))
            raise StrictJsonError(f"{object_}/{verb} is nothing that this connector reads from an MES: {known}")
        reader = READERS[offer]
        native = reader.model.model_validate(read_object(payload, self._config.max_bytes))
        return native, [(offer, said) for said in reader.meaning(native)]

    def _message(self, offer: Offer, native: Native, said: Said) -> Message:
        return Message.of(
            offer.object, said.body, verb=offer.verb, source=self._surroundings.system, site=self._surroundings.site,
            occurred=said.occurred, recorded=native.ts, revision=said.revision, posting=said.posting,
            origin=said.origin, by=self._surroundings.system,
        )  # fmt: skip

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """Tell the MES one after the other; each result is the MES's own answer."""
        results: list[Receipt | ConnectorError] = []
        for message in messages:
            try:
                with about(message.id):
                    results.append(await self._tell(message))
            except ConnectorError as error:
                results.append(error)
        return results

    def rendered(self, message: Message) -> Sequence[Rendered]:
        """The note, with its topic as the place."""
        note = {
            "msgId": message.id, "replyTo": self._reply_to(message), "ts": message.occurred.isoformat(),
            **document(message),
        }  # fmt: skip
        topic = f"{self._config.prefix}/in/{message.object}/{message.verb}"
        return (Rendered(method="PUBLISH", place=topic, content=json.dumps(note, ensure_ascii=False).encode()),)

    async def _tell(self, message: Message) -> Receipt:
        (note,) = self.rendered(message)
        answer = await self._wire.ask(note.place, note.content, self._reply_to(message))
        return _receipt(self._reply(answer, message))

    def _reply_to(self, message: Message) -> str:
        return f"{self._replies}/{message.id}"

    async def find(self, message: Message) -> Receipt | Absent:
        """Ask the MES what became of a message."""
        reply_to = f"{self._reply_to(message)}-receipt"
        question = json.dumps({"msgId": message.id, "replyTo": reply_to}).encode()
        answer = await self._wire.ask(f"{self._config.prefix}/in/receipt/get", question, reply_to)
        reply = self._reply(answer, message)
        return Absent() if reply.status in {"UNKNOWN", "REJECTED"} else _receipt(reply)

    def _reply(self, answer: bytes, message: Message) -> Reply:
        try:
            reply = Reply.model_validate(read_object(answer, self._config.max_bytes))
        except (StrictJsonError, ValidationError) as error:
            raise OutcomeUnknown(f"the MES's answer can't be read: {error}") from error
        if reply.msg_id != message.id:
            raise OutcomeUnknown(f"the MES answered about {reply.msg_id} when asked about {message.id}")
        return reply


def _receipt(reply: Reply) -> Receipt:
    """What the MES's answer means. Raises Rejected, RetryableError, OutcomeUnknown."""
    match reply.status:
        case "ACCEPTED":
            return Receipt(Level.ACCEPTED, document=reply.doc_no)
        case "REJECTED":
            raise Rejected(reply.reason or "the MES gives no reason")
        case "RETRY":
            raise RetryableError(reply.reason or "the MES asks to be told again later")
        case _:
            raise OutcomeUnknown("the MES doesn't know the message it answers about")


async def _settled(letter: Letter, _outcomes: Sequence[Outcome]) -> None:
    letter.ack()
