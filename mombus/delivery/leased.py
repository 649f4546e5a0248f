"""A target's sink under a lease: nothing is written once another hub may write, nothing read back too early."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.connector import NotConnected
from connectors.sending import only_while

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from canonical.message import Message
    from connectors.connector import Absent, Accept, ConnectorError, Offer, Receipt, Sink
    from mombus.journal.leaseholder import Lease


class LeasedSink:
    """A sink for the holder of a lease.

    The lease is looked at before the call, and by a connector over HTTP once more when it has a connection, right
    before the bytes go out. A hub that stands still between the two, or whose bytes are still on their way, is why its
    successor waits: it takes over when the lease has run out, and reads back when it is calm.
    """

    def __init__(self, sink: Sink, lease: Lease) -> None:
        self.accepts: Mapping[Offer, Accept] = sink.accepts
        self._sink = sink
        self._lease = lease

    async def write(self, messages: Sequence[Message]) -> Sequence[Receipt | ConnectorError]:
        """As Sink.write. Raises NotConnected, nothing sent, when the lease is over."""
        if not self._lease.holds:
            raise NotConnected("its lease is over: another hub delivers to it")
        with only_while(lambda: self._lease.holds):
            return await self._sink.write(messages)

    async def find(self, message: Message) -> Receipt | Absent:
        """As Sink.find, once it is calm."""
        await self._lease.calm()
        return await self._sink.find(message)
