"""An ERP that speaks B2MML over SOAP, both ways: kind `erp.b2mml`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from canonical.message import Action, Verb, message_id
from canonical.objects import CATALOGUE
from connectors.connector import (
    Absent,
    Accept,
    ConfigError,
    ConnectorConfig,
    ConnectorError,
    Effect,
    Health,
    MappingError,
    Offer,
    Probe,
    Receipt,
    Speaks,
    Surroundings,
)
from connectors.door import DoorConfig
from connectors.erp.questions import NAMESPACE, NOUNS
from connectors.exchange import about
from connectors.protocols.soap.credentials import Credentials
from connectors.protocols.soap.service import Operation, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from typing import Self
    from zoneinfo import ZoneInfo

    from starlette.types import ASGIApp

    from canonical.message import Message
    from connectors.connector import Item, Outcome, Raw, Rendered
    from connectors.erp.posting import Desk
    from connectors.erp.receiving import Reception
    from connectors.protocols.soap.client import SoapClient

TAKEN = ("production_response", "material_consumption", "inventory_movement", "release_decision", "quality_result")
SAID = (Verb.SYNC, Verb.SHOW, Verb.PROCESS, Verb.CHANGE, Verb.CANCEL)
_ANSWERED = (("Process", "Acknowledge"), ("Sync", "Confirm"), ("Get", "Show"))
"""The verbs of documents to the ERP, and what answers them."""
FRESH_S = 2.0
"""An answer this young proves that the ERP is there."""
PROBE_S = 0.8

SERVICE = Service(
    name="B2MML",
    namespace="urn:mombus:erp",
    documents=NAMESPACE,
    operations=tuple(
        Operation(f"{verb}{noun}", answer)
        for noun in ("OperationsSchedule", "MaterialDefinition")
        for verb, answer in (
            ("Process", f"Acknowledge{noun}"),
            ("Change", f"Acknowledge{noun}"),
            ("Cancel", f"Acknowledge{noun}"),
            ("Sync", "ConfirmBOD"),
            ("Show", "ConfirmBOD"),
        )
    ),
)


class ErpB2mmlConfig(ConnectorConfig):
    """Where the ERP is, where it finds us, and how the two speak."""

    speaks: ClassVar[Speaks | None] = "soap"

    url: str = Field(description="Where the WSDL of the ERP's service is: an http(s) URL, or the path of a local copy.")
    listen: str = Field(
        default="/in/erp", pattern=r"^/[A-Za-z0-9._~/-]+$", description="Path at which the ERP's documents come in."
    )
    endpoint: str | None = Field(
        default=None, description="Address of the ERP's service, where the WSDL names another than the right one."
    )
    operation: str | None = Field(
        default=None, description="The one operation that takes every document, if the ERP has no operation per BOD."
    )
    logical_id: str = Field(default="mombus", min_length=1, description="LogicalID of the hub in documents it sends.")
    receiver_id: str | None = Field(default=None, min_length=1, description="LogicalID of the ERP in those documents.")
    verb: Literal["process", "sync"] = Field(
        default="process",
        description="How facts are reported: process is answered with an Acknowledge, sync with a ConfirmBOD.",
    )
    confirmation: Literal["Always", "OnError", "Never"] = Field(
        default="Always", description="ConfirmationCode that the hub asks of the ERP."
    )
    document_number: str = Field(
        default="DocumentNumber",
        description="Id of the segment data or property in which the ERP notes the number of what it posted.",
    )
    reversed_number: str = Field(
        default="ReversedDocumentNumber",
        description="Id of the segment data in which a reversal names the number of the document that it undoes.",
    )
    stock_missing: frozenset[str] = Field(
        default=frozenset({"STOCK_MISSING"}), description="Reason codes with which the ERP refuses an issue for "
        "missing stock: it is tried again when stock came.",
    )  # fmt: skip
    version: Literal["V7.0.1"] = Field(
        default="V7.0.1", description="B2MML version of documents that the hub sends; it reads V7 and V4.01."
    )
    assume_site_time: bool = Field(
        default=False, description="Read times without an offset as the site's; otherwise they are refused."
    )
    credentials: Credentials | None = Field(default=None, description="What the hub shows to the ERP's service.")
    door: DoorConfig = Field(default=DoorConfig(), description="What the ERP has to show at `listen`, and its limits.")
    ca_file: Path | None = Field(default=None, description="Certificates of the authority to trust for https.")
    connect_timeout_s: float = Field(default=5.0, gt=0, le=120, description="Longest wait for a connection.")
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Longest wait for the answer to a document.")
    max_bytes: int = Field(default=4_000_000, ge=1_000, le=256_000_000, description="Largest answer of the ERP.")

    @property
    def longest_call_s(self) -> float:
        """The longest a write takes: the answer to a document."""
        return self.timeout_s

    def moved(self, url: str, *, answer_s: float | None = None) -> Self:
        """As ConnectorConfig.moved; a local WSDL stays, one of the ERP's is replaced by what `described` says."""
        at = {"url": f"{url}?wsdl", "endpoint": None} if _remote(self.url) else {"endpoint": url}
        timeout_s = answer_s or self.timeout_s
        return self.model_copy(update={**at, "timeout_s": timeout_s, "credentials": None, "ca_file": None})

    def described(self, address: str) -> bytes:
        """As ConnectorConfig.described."""
        nouns = sorted({*NOUNS.values(), *(CATALOGUE[name].noun for name in TAKEN)})
        known = [Operation(f"{verb}{noun}", f"{answer}{noun}") for noun in nouns for verb, answer in _ANSWERED]
        if self.operation is None:
            return Service("ERP", "urn:mombus:test", NAMESPACE, tuple(known)).wsdl(address)
        whole = Operation(self.operation, f"{self.operation}Response")
        return Service("ERP", "urn:mombus:test", "urn:mombus:test:documents", (whole,)).wsdl(address)

    @field_validator("url", "endpoint")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        """Refuse secrets in addresses and addresses that no ERP has."""
        if value is None:
            return value
        parts = urlsplit(value)
        if parts.username is not None or parts.password is not None:
            raise ValueError("write user and password as `credentials:`, not into the address")
        if parts.scheme not in ("http", "https", "", "file"):
            raise ValueError(f"'{parts.scheme}' addresses aren't spoken: use http or https, or the path of a WSDL")
        return value


class ErpB2mml:
    """Takes the ERP's orders and materials by SOAP or plain POST, posts facts to its SOAP service, reads them back."""

    Config: ClassVar[type[ConnectorConfig]] = ErpB2mmlConfig
    summary: ClassVar[str] = "ERP that exchanges B2MML documents over SOAP (Process, Sync, Get; Acknowledge, Show)"
    offers: frozenset[Offer] = frozenset(Offer(object, verb) for object in NOUNS for verb in SAID)
    accepts: Mapping[Offer, Accept] = {Offer(object): Accept(Effect.FINDABLE, concurrency=4) for object in TAKEN}
    complete = True

    def __init__(self, config: ErpB2mmlConfig, surroundings: Surroundings) -> None:
        if not _remote(config.url) and config.endpoint is None:
            raise ConfigError("a local WSDL needs `endpoint:`, the address of the service", "endpoint")
        self._config, self._surroundings = config, surroundings
        self.path, self.door = config.listen, config.door
        self._reception: Reception | None = None
        self._heard_at: float | None = None
        self._trouble = "not connected yet"

    async def connect(self) -> None:
        """Read the ERP's WSDL. Raises NotConnected, Halted, ConfigError."""
        async with self._hearing():
            await self._client.open()

    async def close(self) -> None:
        """Close the connections to the ERP. Never raises."""
        self._trouble = "closed"
        self._heard_at = None
        await self._client.close()

    async def probe(self) -> Probe:
        """OK if the ERP answered just now, or answers anything at all when asked."""
        last_data = self._reception.last if self._reception else None
        if self._heard_at is None or time.monotonic() - self._heard_at > FRESH_S:
            try:
                async with self._hearing():
                    await self._client.reachable(PROBE_S)
            except ConnectorError:
                return Probe(Health.DOWN, self._trouble, last_data)
        return Probe(Health.OK, last_data=last_data)

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """Post each message as a document of its own, in order."""
        results = []
        for message in messages:
            with about(message.id):
                results.append(await self._desk.post(message))
        if any(isinstance(result, Receipt) for result in results):
            self._heard_at = time.monotonic()
        return results

    def rendered(self, message: Message) -> Sequence[Rendered]:
        """The document, without its envelope; its name is the place."""
        return (self._desk.rendered(message),)

    async def find(self, message: Message) -> Receipt | Absent:
        """Ask the ERP for the document (Get, Show). Raises OutcomeUnknown, NotConnected."""
        async with self._hearing():
            return await self._desk.find(message)

    async def answer(self, get: Message) -> AsyncIterator[Message]:
        """Ask the ERP for an order or a material, or for all of them; yield each as a show for the asker."""
        async for shown in self._shown(get.object, get.key or None):
            yield replace(shown, correlation=get.id, to=get.source)

    async def snapshot(self, object: str, keys: Sequence[str] | None = None) -> AsyncIterator[Message]:
        """Yield what the ERP has of its orders or materials, each as a sync."""
        for key in keys if keys is not None else (None,):
            async for shown in self._shown(object, key):
                told = replace(shown, verb=Verb.SYNC, action=Action.CHANGE)
                yield replace(told, id=message_id(told.source, object, Verb.SYNC, told.key, str(told.revision)))

    async def translate(self, raw: Raw) -> Item:
        """What a document says: its good items and what is wrong with the others."""
        return await self._received(_nowhere).translate(raw.content)

    def app(self, deliver: Callable[[Item], Awaitable[Sequence[Outcome]]]) -> ASGIApp:
        """The ERP's door: SOAP 1.1, SOAP 1.2 and plain POST, described at `?wsdl`."""
        from connectors.protocols.soap.door import Door  # noqa: PLC0415 - heavy

        self._reception = reception = self._received(deliver)
        return Door(
            SERVICE, reception.take, reception.keep, reception.parse, max_bytes=self.door.max_bytes, large=reception
        )  # fmt: skip

    def _received(self, deliver: Callable[[Item], Awaitable[Sequence[Outcome]]]) -> Reception:
        from connectors.erp.receiving import Reception  # noqa: PLC0415 - heavy

        return Reception(
            self._surroundings, deliver, sender=self._config.logical_id, max_bytes=self.door.max_bytes,
            timezone=self._timezone,
        )  # fmt: skip

    async def _shown(self, object: str, key: str | None) -> AsyncIterator[Message]:
        """What a Show says. Raises MappingError if an item of it can't be read: half a list is no list."""
        if object not in NOUNS:
            raise MappingError(f"the ERP can't be asked for {object}, only for {', '.join(NOUNS)}")
        async with self._hearing():
            reply = await self._desk.show(object, key)
        if reply is None:
            return
        from canonical.b2mml import read  # noqa: PLC0415 - heavy

        try:
            document = read(
                reply, source=self._surroundings.system, site=self._surroundings.site, recorded=datetime.now(UTC),
                max_bytes=self._config.max_bytes, timezone=self._timezone,
            )  # fmt: skip
        except ValueError as error:
            raise MappingError(f"the ERP's Show can't be read: {error}") from error
        if document.faults:
            raise MappingError("; ".join(f"{bad.place}: {bad.reason}" for bad in document.faults))
        for message in document.messages:
            if message.object == object and key in (None, message.key):
                yield message

    @asynccontextmanager
    async def _hearing(self) -> AsyncIterator[None]:
        """Note that the ERP answered, or why it didn't."""
        try:
            yield
        except ConnectorError as error:
            self._heard_at, self._trouble = None, str(error)
            raise
        self._heard_at = time.monotonic()

    @cached_property
    def _client(self) -> SoapClient:
        from canonical.b2mml.secure import parse  # noqa: PLC0415 - heavy
        from connectors.protocols.soap.client import SoapClient, Target  # noqa: PLC0415 - heavy

        config = self._config
        folder = Path(self._surroundings.folder)
        target = Target(
            wsdl=config.url if _remote(config.url) else str(folder / config.url.removeprefix("file://")),
            endpoint=config.endpoint, operation=config.operation, credentials=config.credentials,
            connect_timeout_s=config.connect_timeout_s, timeout_s=config.timeout_s, max_bytes=config.max_bytes,
            ca_file=folder / config.ca_file if config.ca_file else None,
        )  # fmt: skip
        return SoapClient(target, lambda content: parse(content, config.max_bytes))

    @cached_property
    def _desk(self) -> Desk:
        from connectors.erp.posting import Desk, Manner  # noqa: PLC0415 - heavy

        config = self._config
        manner = Manner(
            sender=config.logical_id, receiver=config.receiver_id, verb=Verb(config.verb),
            confirmation=config.confirmation, number=config.document_number, stock_missing=config.stock_missing,
            reversed=config.reversed_number,
        )  # fmt: skip
        return Desk(self._client, manner)

    @property
    def _timezone(self) -> ZoneInfo | None:
        return self._surroundings.timezone if self._config.assume_site_time else None


async def _nowhere(_item: Item) -> Sequence[Outcome]:
    """What is only read is delivered nowhere."""
    return ()


def _remote(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https")
