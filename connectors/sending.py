"""The last look before the bytes of a call go out: whoever lets a connector write may change their mind until then.

Between the decision and the bytes lies waiting: for a connection of the pool, for its handshake. A process that stood
still meanwhile would send, minutes later, what another one has done by then.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from connectors.connector import NotConnected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_may: ContextVar[Callable[[], bool] | None] = ContextVar("may send", default=None)


@contextmanager
def only_while(may: Callable[[], bool]) -> Iterator[None]:
    """What is called in this block goes out only if `may` is true right before."""
    token = _may.set(may)
    try:
        yield
    finally:
        _may.reset(token)


def is_watched() -> bool:
    """True in such a block: call `look` right before the first byte."""
    return _may.get() is not None


def look() -> None:
    """Raises NotConnected, nothing sent, if it may not go out any more."""
    may = _may.get()
    if may is not None and not may():
        raise NotConnected("it may not be sent any more: another hub delivers to it")
