"""Why no connection came about, in words that say to where."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def unreached(error: httpx.TransportError) -> str:
    """Such as `no connection to http://10.0.0.7:8101: Connection refused`; never with a path, which may hold a secret.

    The library's own words for a host with several addresses say only that all of them failed.
    """
    import httpx  # noqa: PLC0415 - heavy

    try:
        where = f" to {error.request.url.copy_with(userinfo=None, raw_path=b'')}".rstrip("/")
    except RuntimeError:
        where = ""
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection{where} in time"
    return f"no connection{where}: {_words(error)}"


def _words(error: BaseException) -> str:
    """What the system said at the root of it, without the number and the address."""
    cause: BaseException = error
    while (deeper := _deeper(cause)) is not None:
        cause = deeper
    if isinstance(cause, OSError) and cause.errno is not None:
        return os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
    return str(error) or type(error).__name__


def _deeper(error: BaseException) -> BaseException | None:
    """What led to it; of several addresses the first one's error."""
    if isinstance(error, BaseExceptionGroup):
        return error.exceptions[0]
    return error.__cause__ or error.__context__
