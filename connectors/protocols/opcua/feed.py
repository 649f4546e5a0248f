"""Subscriptions of one session, read from one bounded queue that counts what it loses.

Nothing here starts a task per value: the publish loop of asyncua calls `_published`, which only appends.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from asyncua import ua

from connectors.connector import ConnectorError, NotConnected
from connectors.protocols.opcua.session import BATCH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from connectors.protocols.opcua.addresses import Address
    from connectors.protocols.opcua.session import Session

Tag = TypeVar("Tag")
KEEPALIVE_S = 2.0
"""How often the server says that it lives when nothing changed."""
SILENCE_S = 6.0
"""A subscription that said nothing for so long, and for three keep-alives, is dead though the connection may live."""
RECHECK_S = 30.0
"""How often nodes that weren't there are looked for again."""
TOLD_S = 1.0
"""What is dropped again and again is told as one loss so often, with its number: not as one beside each value."""
LIFETIME = 30
"""After so many keep-alives without a client the server forgets a subscription."""


@dataclass(frozen=True, slots=True)
class Watch(Generic[Tag]):
    """One node to subscribe to. `queue_size` is the server's queue for it: 1 keeps only the latest value."""

    tag: Tag
    address: Address
    sampling_ms: float = -1.0
    queue_size: int = 10
    deadband: float | None = None


class Change(NamedTuple):
    """A value that came: `tag` of its Watch."""

    tag: object
    data: ua.DataValue
    received: datetime


class Loss(NamedTuple):
    """Values that were lost before they could be read: how many at least, and why."""

    tag: object | None
    since: datetime
    until: datetime
    lost: int | None
    reason: str


class Feed(Generic[Tag]):
    """What the server tells: `open` subscribes, `batches` yields."""

    def __init__(self, session: Session, publishing_ms: float, limit: int) -> None:
        """`limit` is how many changes may wait to be read; older ones beyond it are dropped and counted."""
        self.missing: dict[str, str] = {}
        """Watched nodes that couldn't be subscribed: place → reason."""
        self.received_at: float | None = None
        """When the last value came, by the monotonic clock."""
        self._session, self._publishing_ms, self._limit = session, publishing_ms, limit
        self._changes: deque[Change] = deque()
        self._losses: list[Loss] = []
        self._dropped: tuple[datetime, int] | None = None
        self._tags: list[Tag] = []
        self._heard: dict[int, float] = {}
        self._patience_s: dict[int, float] = {}
        self._absent: dict[str, Watch[Tag]] = {}
        self._recheck_at = time.monotonic() + RECHECK_S
        self._sequence: dict[int, int] = {}
        self._news = asyncio.Event()
        self._ended: str | None = None

    async def open(self, group: Sequence[Watch[Tag]], places: Sequence[str]) -> None:
        """Subscribe one group of nodes; `places` name them, each once. A bad node doesn't stop the others."""
        nodes = await self._session.nodes([watch.address for watch in group])
        self._absent.update(zip(places, group, strict=True))
        found: list[tuple[str, Watch[Tag], ua.NodeId]] = []
        for place, watch, node in zip(places, group, nodes, strict=True):
            if isinstance(node, str):
                self.missing[place] = node
            else:
                found.append((place, watch, node))
        if not found:
            return
        subscription = await self._subscribe()
        for start in range(0, len(found), BATCH):
            await self._watch(subscription, found[start : start + BATCH])

    async def _recheck(self) -> None:
        """Subscribe what is there by now: a machine switched on later, a program loaded anew."""
        if not self._absent or time.monotonic() < self._recheck_at:
            return
        self._recheck_at = time.monotonic() + RECHECK_S
        await self.open(list(self._absent.values()), list(self._absent))

    async def _subscribe(self) -> int:
        keepalives = max(1, round(KEEPALIVE_S * 1000 / self._publishing_ms))
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=self._publishing_ms, RequestedMaxKeepAliveCount=keepalives,
            RequestedLifetimeCount=keepalives * LIFETIME, MaxNotificationsPerPublish=10_000, PublishingEnabled=True,
        )  # fmt: skip
        services = self._session.services
        result = await self._session.request(services.create_subscription(parameters, self._published), "subscribing")
        number = int(result.SubscriptionId)
        self._heard.setdefault(number, time.monotonic())
        keepalive_s = result.RevisedPublishingInterval * result.RevisedMaxKeepAliveCount / 1000
        self._patience_s[number] = max(SILENCE_S, 3 * keepalive_s)
        return number

    async def _watch(self, subscription: int, found: Sequence[tuple[str, Watch[Tag], ua.NodeId]]) -> None:
        first = len(self._tags)
        self._tags += [watch.tag for _, watch, _ in found]
        request = ua.CreateMonitoredItemsParameters(
            SubscriptionId=subscription, TimestampsToReturn=ua.TimestampsToReturn.Both,
            ItemsToCreate=[_item(first + index, watch, node) for index, (_, watch, node) in enumerate(found)],
        )  # fmt: skip
        results = await self._session.request(self._session.services.create_monitored_items(request), "subscribing")
        for (place, _, _), result in zip(found, results, strict=True):
            if result.StatusCode.is_bad():
                self.missing[place] = f"the server doesn't watch it ({result.StatusCode.name})"
            else:
                self.missing.pop(place, None)
                self._absent.pop(place, None)

    async def close(self) -> None:
        """Unsubscribe, so that another feed of the session may begin. Never raises."""
        if self._session.alive and self._heard:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1):
                    await self._session.services.delete_subscriptions(list(self._heard))

    async def batches(self, most: int, wait_s: float) -> AsyncIterator[tuple[list[Change], list[Loss]]]:
        """Yield changes as soon as `most` wait or `wait_s` after the first, for ever.

        Raises NotConnected when the connection or a subscription is gone, after everything that came was yielded.
        """
        while True:
            await self._something()
            if len(self._changes) < most and self._alive():
                await asyncio.sleep(wait_s)
            while self._changes or self._losses or self._dropped:
                yield self._take(most), self._take_losses()
                await asyncio.sleep(0)
            if not self._alive():
                raise self._gone()

    async def _something(self) -> None:
        """Wait for a change, or until the connection is gone."""
        lost = asyncio.ensure_future(self._session.lost.wait())
        try:
            while not self._changes and not self._losses and self._alive():
                await self._recheck()
                self._news.clear()
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait((news, lost), timeout=1, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            lost.cancel()

    def _alive(self) -> bool:
        now = time.monotonic()
        for number, patience_s in self._patience_s.items():
            silent = now - self._heard[number]
            if self._ended is None and silent > patience_s:
                self._ended = f"a subscription said nothing for {silent:.0f} s"
        return self._ended is None and self._session.alive

    def _gone(self) -> ConnectorError:
        return NotConnected(self._ended or "the connection to the server was lost")

    def _take(self, most: int) -> list[Change]:
        return [self._changes.popleft() for _ in range(min(most, len(self._changes)))]

    def _take_losses(self) -> list[Loss]:
        losses, self._losses = self._losses, []
        if self._dropped is not None and (not self._changes or _age_s(self._dropped[0]) > TOLD_S):
            since, count = self._dropped
            self._dropped = None
            reason = f"more than {self._limit} values waited to be stored: the oldest were dropped"
            losses.append(Loss(None, since, datetime.now(UTC), count, reason))
        return losses

    def _published(self, result: ua.PublishResult) -> None:
        """Called by asyncua's publish loop for every answer of the server."""
        now = time.monotonic()
        self._heard[result.SubscriptionId] = self._session.answered = now
        message = result.NotificationMessage
        if not message.NotificationData:
            return
        received = datetime.now(UTC)
        self._check_sequence(result.SubscriptionId, message.SequenceNumber, received)
        for notification in message.NotificationData:
            if isinstance(notification, ua.DataChangeNotification):
                self.received_at = now
                self._append(notification.MonitoredItems, received)
            elif isinstance(notification, ua.StatusChangeNotification):
                self._ended = f"the server ended a subscription ({notification.Status.name})"
        self._news.set()

    def _append(self, items: Sequence[ua.MonitoredItemNotification], received: datetime) -> None:
        changes, tags = self._changes, self._tags
        changes.extend(Change(tags[item.ClientHandle], item.Value, received) for item in items)
        excess = len(changes) - self._limit
        if excess > 0:
            since = self._dropped[0] if self._dropped else changes[0].received
            self._dropped = (since, (self._dropped[1] if self._dropped else 0) + excess)
            for _ in range(excess):
                changes.popleft()

    def _check_sequence(self, subscription: int, number: int, received: datetime) -> None:
        """Notification messages are numbered (OPC 10000-4, 7.26): a step over one is a loss."""
        last = self._sequence.get(subscription)
        self._sequence[subscription] = number
        if last is not None and number not in {last, last + 1, 1}:
            reason = f"notification messages {last + 1} to {number - 1} never came"
            self._losses.append(Loss(None, received, received, None, reason))


def _age_s(since: datetime) -> float:
    return (datetime.now(UTC) - since).total_seconds()


def _item(handle: int, watch: Watch[Tag], node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
    parameters = ua.MonitoringParameters(
        ClientHandle=handle, SamplingInterval=watch.sampling_ms, QueueSize=watch.queue_size, DiscardOldest=True
    )
    if watch.deadband is not None:
        parameters.Filter = ua.DataChangeFilter(
            Trigger=ua.DataChangeTrigger.StatusValue, DeadbandType=1, DeadbandValue=watch.deadband
        )
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting, RequestedParameters=parameters,
    )  # fmt: skip
