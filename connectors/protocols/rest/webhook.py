"""The door a system posts to: size-capped, strict, and answered only after the hub has stored what came.

Who may post at all is the hub's to say (connectors/door.py).
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from canonical.message import Message
from connectors.connector import ConnectorError, Fault, Item, MappingError, PermanentError, RetryableError
from connectors.protocols.rest.mapping import items_of
from connectors.strict_json import StrictJsonError, read_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.types import ASGIApp, Receive, Scope, Send

    from connectors.connector import Outcome
    from connectors.protocols.rest.hearing import Hearing
    from connectors.protocols.rest.settings import Pushed

    Deliver = Callable[[Item], Awaitable[Sequence[Outcome]]]

RETRY_S = 5
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class _RefusedError(Exception):
    """What came isn't taken: the status, reason and headers of the answer."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.headers = status, headers


class Door:
    """The ASGI application of one system's posts."""

    def __init__(self, pushed: Pushed, hearing: Hearing, max_bytes: int) -> None:
        self._pushed = pushed
        self._hearing = hearing
        self._max_bytes = max_bytes

    def app(self, deliver: Deliver) -> ASGIApp:
        """The application; `deliver` returns once everything is stored."""
        from starlette.requests import ClientDisconnect, Request  # noqa: PLC0415 - only where a system posts
        from starlette.responses import JSONResponse  # noqa: PLC0415

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            try:
                response = await self._taken(request, deliver)
            except ClientDisconnect:
                return
            except _RefusedError as refused:
                response = JSONResponse({"reason": str(refused)}, refused.status, refused.headers)
            await response(scope, receive, send)

        return answer

    async def _taken(self, request: Request, deliver: Deliver) -> JSONResponse:
        """Take a post. What can't be read is kept before its sender hears so."""
        from starlette.responses import JSONResponse  # noqa: PLC0415 - see app

        if request.method != "POST":
            raise _RefusedError(405, "this door takes POST", {"allow": "POST"})
        raw, whole = await self._body(request)
        try:
            if not whole:
                raise _RefusedError(413, f"over {self._max_bytes} bytes: send less at once")
            _check_kind(request)
            messages, faults = await self._understood(raw)
        except _RefusedError as refused:
            await _stored(deliver, Item(faults=(Fault("body", str(refused), raw),), raw=raw))
            raise
        messages = _in_its_trace(messages, request.headers.get("traceparent", ""))
        outcomes = await _stored(deliver, Item(messages=tuple(messages), faults=tuple(faults), raw=raw))
        return JSONResponse(*_said(outcomes, faults))

    async def _body(self, request: Request) -> tuple[bytes, bool]:
        """The body and whether it is whole: only so much of it is read as is taken."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._max_bytes:
                return bytes(body[: self._max_bytes]), False
        return bytes(body), True

    async def _understood(self, raw: bytes) -> tuple[Sequence[Any], Sequence[Fault]]:
        try:
            items = items_of(read_json(raw, self._max_bytes), self._pushed.items)
        except (StrictJsonError, MappingError) as error:
            raise _RefusedError(400, str(error)) from error
        return await self._hearing.understood(self._pushed, items, self._pushed.items or "item")


def _in_its_trace(messages: Sequence[Any], context: str) -> Sequence[Any]:
    """The messages in the trace that their sender began, if it did (W3C Trace Context)."""
    if not TRACEPARENT.fullmatch(context):
        return messages
    return [replace(one, traceparent=context) if isinstance(one, Message) else one for one in messages]


def _check_kind(request: Request) -> None:
    """Check what is posted. Raises _RefusedError."""
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    if not (kind.strip().lower() == "application/json" or kind.strip().lower().endswith("+json")):
        raise _RefusedError(415, f"application/json is expected, this is '{kind[:100] or 'nothing'}'")
    name, _, charset = parameters.strip().partition("=")
    if name.lower() == "charset" and charset.strip('"').lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise _RefusedError(400, f"JSON is UTF-8, not {charset[:40]}")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise _RefusedError(415, "compressed bodies aren't taken")


async def _stored(deliver: Deliver, item: Item) -> Sequence[Outcome]:
    """Hand an item over. Raises _RefusedError when the hub can't take it now, or at all."""
    try:
        return await deliver(item)
    except RetryableError as error:
        wait_s = math.ceil(error.retry_after_s or RETRY_S)
        raise _RefusedError(503, f"{error}; send it again", {"retry-after": str(wait_s)}) from error
    except PermanentError as error:
        raise _RefusedError(422, str(error)) from error
    except ConnectorError as error:
        raise _RefusedError(503, f"{error}; send it again") from error


def _said(outcomes: Sequence[Outcome], faults: Sequence[Fault]) -> tuple[dict[str, Any], int]:
    """What the system is told: 202 when all of it was taken, 422 with the reasons for what wasn't."""
    refused = [{"key": it.key, "reason": it.reason} for it in outcomes if not it.accepted]
    refused += [{"place": fault.place, "reason": fault.reason} for fault in faults]
    taken = [it.key for it in outcomes if it.accepted]
    return {"accepted": taken, "refused": refused}, 422 if refused else 202
