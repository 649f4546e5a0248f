"""What a system says over its wire: its real connector reads it from a mock, and the hub of the case takes it in."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from connectors.connector import Connector, Item, Outcome
    from mombus.trial.reading import Spoken

    Take: TypeAlias = Callable[[Item], Awaitable[Sequence[Outcome]]]
    Connects: TypeAlias = Callable[[str], Connector]

PATIENCE_S = 45.0


class NotHeardError(Exception):
    """Something that a system says isn't read by its connector."""


@runtime_checkable
class Says(Protocol):
    """A mock that can say something itself."""

    async def say(self, spoken: Spoken, connects: Connects, take: Take) -> None:
        """Say it to a connector that finds it at a URL; return when all of it was taken in. Raises NotHeardError."""


async def heard(connector: Connector, take: Take) -> None:
    """Read a connected system until its connection ends, as the hub does. Raises what its connector raises then."""
    source: Any = connector
    async with aclosing(source.read(None)) as items:
        async for item in items:
            outcomes = await take(item)
            if item.settle is not None:
                await item.settle(outcomes)


async def while_heard(hearing: asyncio.Task[None], said: Coroutine[Any, Any, Any]) -> None:
    """Wait until something was said to who is hearing. Raises NotHeardError when that ends before, or is never done."""
    saying = asyncio.ensure_future(said)
    try:
        await asyncio.wait({saying, hearing}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if saying.done():
            saying.result()
            return
    finally:
        saying.cancel()
    if hearing.done() and (error := hearing.exception()) is not None:
        raise NotHeardError(f"its connector stopped reading: {error}") from error
    raise NotHeardError(f"its connector didn't read it within {PATIENCE_S:g} s")
