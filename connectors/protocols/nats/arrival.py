"""When the broker has what a connection said before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nats.aio.client import Client


async def arrived(client: Client) -> None:
    """Return once the broker has everything that was published and subscribed so far. Raises what `flush` raises.

    The ping of nats-py's `flush` overtakes what is still pending, so that its pong says nothing of that. But it makes
    the pending go out, before its own pong is read: the second ping is behind it.
    """
    await client.flush()
    await client.flush()
