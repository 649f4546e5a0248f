"""What a connector exchanged with its system, as another process tells it: secrets are hidden before it leaves that."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connectors.exchange import MOST_BYTES, MOST_CHARACTERS, Exchange, Noted

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_ENCODED = 2 * MOST_BYTES
_Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
_Bytes = Annotated[str, Field(max_length=MOST_ENCODED)]
_Size = Annotated[int, Field(ge=0, lt=2**53)]


class _Told(BaseModel):
    """One exchange; whoever has the system's account may have sent it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=10_000)]
    how: _Text
    request: _Bytes
    request_size: _Size
    request_type: _Text
    response: _Bytes | None
    response_size: _Size
    response_type: _Text | None
    status: _Text | None
    trouble: _Text | None
    at: AwareDatetime
    took_s: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


def told(noted: Noted, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """What was noted, without its secrets, as JSON can say it."""
    exchange = noted.hide(noted.exchange)
    return {
        "messages": list(noted.messages), "how": _short(exchange.how),
        "request": _encoded(exchange.request, most_bytes), "request_size": exchange.request_size,
        "request_type": _short(exchange.request_type),
        "response": None if exchange.response is None else _encoded(exchange.response, most_bytes),
        "response_size": exchange.response_size, "response_type": _short(exchange.response_type),
        "status": _short(exchange.status), "trouble": _short(exchange.trouble), "at": exchange.at.isoformat(),
        "took_s": exchange.took_s,
    }  # fmt: skip


def heard(said: Any, messages: Collection[str]) -> list[Noted]:
    """What was told about these messages; what makes no sense, or is about others, is left out."""
    found = (_read(one, messages) for one in (said if isinstance(said, list) else ()))
    return [one for one in found if one is not None]


def _read(said: Any, messages: Collection[str]) -> Noted | None:
    try:
        one = _Told.model_validate(said)
        request, response = b64decode(one.request, validate=True), _decoded(one.response)
    except (ValidationError, ValueError):
        return None
    if not one.messages or not set(one.messages) <= set(messages):
        return None
    return Noted(tuple(dict.fromkeys(one.messages)), Exchange(
        how=one.how, request=request, request_size=one.request_size, request_type=one.request_type, response=response,
        response_size=one.response_size, response_type=one.response_type, status=one.status, trouble=one.trouble,
        at=datetime.fromisoformat(one.at.isoformat()), took_s=one.took_s,
    ), _already)  # fmt: skip


def _already(exchange: Exchange) -> Exchange:
    """Its own process has hidden what is secret."""
    return exchange


def _decoded(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text, validate=True)


def _encoded(content: bytes, most_bytes: int) -> str:
    return b64encode(content[:most_bytes]).decode()


def _short(text: str | None) -> str | None:
    return None if text is None else text[:MOST_CHARACTERS]
