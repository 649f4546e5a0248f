"""Bodies that are kept apart, fetched where delivery needs them: to decide by a `when`, to map and to write.

They are in memory only as long as that takes. What waits keeps the reference: a body lives as long as anything that
waits refers to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.connector import MappingError
from mombus.bus import claims
from mombus.bus.errors import BodyGone

if TYPE_CHECKING:
    from nats.js import JetStreamContext

    from canonical.message import Message
    from mombus.delivery.routing import Routing
    from mombus.delivery.target import Rule


class Bodies:
    """Fetches bodies over one connection."""

    def __init__(self, js: JetStreamContext, routing: Routing) -> None:
        self._js = js
        self._routing = routing

    async def rule(self, message: Message, *, entered: bool) -> Rule | str:
        """As `Routing.rule_for`; the body is fetched if a `when` decides. Raises as `whole`."""
        decides = self._routing.is_conditional(message)
        return self._routing.rule_for(await self.whole(message) if decides else message, entered)

    async def whole(self, message: Message) -> Message:
        """The message with its body. Raises MappingError when that is gone; other errors pass, it can be tried again.

        Gone is a matter for a person: the message is kept with that reason and others go on.
        """
        try:
            return await claims.whole(self._js, message)
        except BodyGone as gone:
            raise MappingError(str(gone)) from gone
