"""What failed calls and bad answers mean: the one place where this wire's errors get their meaning."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from connectors.answer_body import AnswerBroken, AnswerTooLarge
from connectors.connector import (
    ConnectorError,
    Halted,
    Lacking,
    MappingError,
    NotConnected,
    OutcomeUnknown,
    Rejected,
    RetryableError,
)
from connectors.strict_json import StrictJsonError, read_json
from connectors.unreached import unreached

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """What the system answered. `reason` is set when its body says what went wrong, `lacking` when that is missing
    stock; `url` is where it came from."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    reason: str | None = None
    url: str = ""
    lacking: bool = False

    @property
    def good(self) -> bool:
        """True for a status 2xx."""
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body, decimals exact, None when it is empty. Raises MappingError for anything but strict JSON."""
        if not self.content.strip():
            return None
        try:
            return read_json(self.content, len(self.content))
        except StrictJsonError as error:
            kind = self.headers.get("content-type", "no content type")
            raise MappingError(f"the answer is no JSON ({kind}): {error}: {_words(self.content)}") from None


class ForeignHostError(Exception):
    """An answer leads to another host than the configured one."""


def translated(cause: Exception | Reply, *, repeatable: bool) -> ConnectorError:  # noqa: PLR0911 - a row each
    """What a failed call or an answer of status 3xx, 4xx or 5xx means.

    A call that isn't `repeatable` and may have been carried out is OutcomeUnknown: an answer that was lost, and the
    statuses with which servers and gateways give up on work they have begun (500, 502, 504 and other 5xx but 503).
    """
    import httpx  # noqa: PLC0415 - heavy

    match cause:
        case Reply():
            return _meant(cause, repeatable)
        case httpx.ConnectError() if _is_tls(cause):
            return Halted(f"the server's certificate isn't accepted: {cause}; see ca_file")
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return NotConnected(unreached(cause))
        case httpx.PoolTimeout():
            return RetryableError("all connections are busy")
        case ForeignHostError():
            return Rejected(f"the answer leads to another host, {cause}: that isn't followed")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol() | httpx.LocalProtocolError() | httpx.CookieConflict():
            return MappingError(f"the call can't be made: {cause}")
        case TimeoutError() | httpx.TimeoutException():
            return _lost("no answer in time", repeatable)
        case AnswerTooLarge():
            return Rejected(f"the answer is too large: {cause}") if repeatable else _lost(str(cause), repeatable)
        case AnswerBroken():
            return _lost(f"the answer can't be read: {cause}", repeatable)
        case httpx.TransportError() | httpx.StreamError() | httpx.DecodingError() | httpx.HTTPError() | OSError():
            return _lost(f"the connection broke: {cause or type(cause).__name__}", repeatable)
        case _:
            return _lost(f"{type(cause).__name__}: {cause}", repeatable)


def _lost(reason: str, repeatable: bool) -> ConnectorError:
    return NotConnected(reason) if repeatable else OutcomeUnknown(f"{reason}; it may have been carried out")


def _meant(reply: Reply, repeatable: bool) -> ConnectorError:
    text = f"HTTP {reply.status}: {reply.reason or reason_of(reply)}"
    if reply.lacking:
        return Lacking(text)
    match reply.status:
        case 401 | 403 | 407:
            return Halted(f"{text}; check the credentials")
        case 408 | 423 | 425 | 429 | 503:
            return RetryableError(text, retry_after_s(reply.headers))
        case status if status >= 500:
            # a gateway (502, 504) may have given up on a server that still works; a 500 is the server's own
            unknown = OutcomeUnknown(text, answered=status == HTTPStatus.INTERNAL_SERVER_ERROR)
            return RetryableError(text, retry_after_s(reply.headers)) if repeatable else unknown
        case status if 300 <= status < 400:
            return Rejected(f"{text}; it moved to {reply.headers.get('location', 'nowhere')}: put that into url")
        case _:
            return Rejected(text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """When the server said to come back: seconds, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 8:
        return float(text)
    try:
        due = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (due.replace(tzinfo=due.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def reason_of(reply: Reply) -> str:
    """The reason in an error's body: where JSON APIs put it, or the words of a page."""
    try:
        document = reply.json()
    except MappingError:
        return _words(reply.content)
    return (_said(document) or _words(reply.content) or "no reason given")[:MAX_REASON]


def _said(document: Any) -> str | None:
    match document:
        case str():
            return document
        case [first, *_]:
            return _said(first)
        case dict():
            names = (
                "reason",
                "message",
                "detail",
                "errorMessages",
                "errorMessage",
                "error",
                "Error",
                "errors",
                "title",
            )
            return next((said for name in names if (said := _said(document.get(name)))), None)
    return None


def _words(content: bytes) -> str:
    page = content[:20_000].decode("utf-8", "replace")
    text = re.sub(r"(?is)<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^<>]*>", " ", page)  # each piece is looked at once
    return " ".join(unescape(text).split())[:200]


def _is_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return "CERTIFICATE_VERIFY_FAILED" in str(error)
