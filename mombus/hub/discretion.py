"""What a connector says of its troubles, without the secrets that its system or a library put into it.

A system may echo the token it was shown, a library may print the URL it called. Everything that the hub keeps, logs and
shows of an error comes through here, so that no other place has to think of it.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from connectors.connector import Item, Probe
from connectors.exchange import hidden, hiding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from connectors.connector import Connector
    from mombus.config.scrubbing import Scrubber

CALLS = ("connect", "probe", "write", "find")
STREAMS = ("read", "answer", "snapshot")


def discreet(connector: Connector, scrubber: Scrubber) -> Connector:
    """The connector, each of its calls giving and raising nothing secret."""
    for name in CALLS:
        if hasattr(connector, name):
            setattr(connector, name, _call(getattr(connector, name), scrubber))
    for name in STREAMS:
        if hasattr(connector, name):
            setattr(connector, name, _stream(getattr(connector, name), scrubber))
    return connector


def _call(call: Callable[..., Any], scrubber: Scrubber) -> Callable[..., Any]:
    @wraps(call)
    async def discreetly(*args: Any, **more: Any) -> Any:
        try:
            with hiding(partial(hidden, text=scrubber.text)):
                result = await call(*args, **more)
        except Exception as error:
            scrubber.error(error)
            raise
        return _scrubbed(result, scrubber)

    return discreetly


def _stream(stream: Callable[..., AsyncIterator[Any]], scrubber: Scrubber) -> Callable[..., AsyncIterator[Any]]:
    @wraps(stream)
    async def discreetly(*args: Any, **more: Any) -> AsyncIterator[Any]:
        items = stream(*args, **more)
        try:
            async for item in items:
                yield _scrubbed(item, scrubber)
        except Exception as error:
            scrubber.error(error)
            raise
        finally:
            if inspect.isasyncgen(items):
                await items.aclose()

    return discreetly


def _scrubbed(result: Any, scrubber: Scrubber) -> Any:
    """A probe, an item with its faults, the errors among results; documents and messages stay as they are."""
    match result:
        case Probe():
            return replace(result, reason=scrubber.text(result.reason))
        case Item(faults=faults) if faults:
            told = [replace(fault, reason=scrubber.text(fault.reason)) for fault in faults]
            return replace(result, faults=tuple(told))
        case list() | tuple():
            return [scrubber.error(one) if isinstance(one, BaseException) else one for one in result]
    return result
