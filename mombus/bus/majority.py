"""Stays with the brokers of a cluster that can store: a node that lost the others keeps its clients all the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

    from mombus.bus.link import Link

LOOK_S = 2.0
REST_S = 5.0
"""How long a change of node gets to help before the next."""
_ANSWER_S = 3.0


async def keep_to_majority(client: Client, link: Link, js: JetStreamContext | None) -> None:
    """Connect to another node whenever the one at hand confirms nothing or knows no leader; runs until cancelled.

    Without `js`, for accounts that may not ask, only by what is confirmed.
    """
    while True:
        await asyncio.sleep(LOOK_S)
        if len(client.servers) > 1 and link.up and (link.stalled or (js and not await _has_leader(js))):
            link.note("the broker at hand is cut off from its cluster; connecting to another node")
            await client.force_reconnect()
            await asyncio.sleep(REST_S)


async def _has_leader(js: JetStreamContext) -> bool:
    """Only the cluster's leader answers this."""
    from nats.errors import Error  # noqa: PLC0415 - heavy
    from nats.js.errors import APIError  # noqa: PLC0415

    try:
        async with asyncio.timeout(_ANSWER_S):
            await js.account_info()
    except APIError as error:
        return (error.code or 0) < 500
    except (Error, TimeoutError, ConnectionError):
        return False
    return True
