"""What can go wrong when a SOAP service is called, and what that means to the hub.

The question behind every row: may the document have taken effect? Only a clear no lets it be sent again.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from connectors.answer_body import AnswerBroken, AnswerTooLarge
from connectors.connector import (
    ConfigError,
    ConnectorError,
    Halted,
    NotConnected,
    OutcomeUnknown,
    PermanentError,
    Rejected,
    RetryableError,
)
from connectors.unreached import unreached

if TYPE_CHECKING:
    from connectors.protocols.soap.envelope import Fault

NOT_PROCESSED = frozenset({404, 405, 408, 421, 425, 429, 503})
"""The service, or what stands before it, said that it didn't look at the document."""


class SoapFault(Exception):  # noqa: N818
    """The service answered with a fault, under this HTTP status."""

    def __init__(self, fault: Fault, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(f"{fault.reason}{f' ({fault.detail})' if fault.detail else ''}")
        self.fault, self.status, self.retry_after_s = fault, status, retry_after_s


class HttpStatus(Exception):  # noqa: N818
    """The service answered with a status and no SOAP."""

    def __init__(self, status: int, text: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(f"HTTP {status}{f': {text}' if text else ''}")
        self.status, self.retry_after_s = status, retry_after_s


class UnreadableReply(Exception):  # noqa: N818
    """The service answered with success and something that is no SOAP, or too much of it."""


class ForbiddenReference(Exception):  # noqa: N818
    """A WSDL or schema refers to a place it may not: another host, or a file outside its folder."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was tried, for the error's text. `effect` is false for what changes nothing: reading a WSDL."""

    what: str
    effect: bool = True


def translate(error: Exception, asked: Asked) -> ConnectorError:
    """The one translation of everything that calling a SOAP service raises."""
    import httpx  # noqa: PLC0415 - heavy

    text = f"{asked.what}: {_said(error)}"
    match error:
        case ConnectorError():
            return error
        case SoapFault():
            return _of_fault(error, text)
        case HttpStatus():
            return _of_status(error, text)
        case httpx.HTTPError() | UnreadableReply() | AnswerTooLarge() | AnswerBroken() | OSError():
            return _of_transport(error, asked, text)
    return _of_description(error, text)


def _of_transport(error: Exception, asked: Asked, text: str) -> ConnectorError:
    """Before a connection exists nothing was sent; afterwards the document may have arrived."""
    import httpx  # noqa: PLC0415 - heavy

    if isinstance(_root_cause(error), ssl.SSLCertVerificationError):
        return Halted(f"{text}: trust its authority with `ca_file:`, or get the certificate renewed")
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return NotConnected(f"{asked.what}: {unreached(error)}")
        case httpx.PoolTimeout():
            return RetryableError(text)
        case httpx.UnsupportedProtocol():
            return ConfigError(text, "url")
    return OutcomeUnknown(text) if asked.effect else NotConnected(text)


def _of_fault(error: SoapFault, text: str) -> ConnectorError:
    """Client faults blame the document; a Server fault may come after the work was done, unless it is a 503."""
    fault = error.fault
    if error.status in (401, 403) or "auth" in (fault.subcode or fault.code).lower():
        return Halted(text)
    if error.status in NOT_PROCESSED:
        return RetryableError(text, error.retry_after_s)
    if fault.code in ("Client", "MustUnderstand", "VersionMismatch", "DataEncodingUnknown"):
        return Rejected(text)
    return OutcomeUnknown(text, answered=True)


def _of_status(error: HttpStatus, text: str) -> ConnectorError:
    status = error.status
    if status in (401, 403, 407):
        return Halted(text)
    if 300 <= status < 400:
        return ConfigError(f"{text}: redirects are not followed, configure the final address", "url")
    if status in NOT_PROCESSED:
        return RetryableError(text, error.retry_after_s)
    return Rejected(text) if 400 <= status < 500 else OutcomeUnknown(text)


def _of_description(error: Exception, text: str) -> ConnectorError:
    """What reading a WSDL raises: the description is wrong, not the document. zeep lets plain errors through too."""
    import httpx  # noqa: PLC0415 - heavy
    import zeep.exceptions  # noqa: PLC0415 - heavy
    from lxml import etree  # noqa: PLC0415 - heavy

    described = (zeep.exceptions.Error, etree.Error, ForbiddenReference, httpx.InvalidURL)
    plain = (LookupError, ValueError, TypeError, AttributeError)
    return ConfigError(text, "url") if isinstance(error, described + plain) else PermanentError(text)


def retry_after_s(header: str | None) -> float | None:
    """Seconds until the time a Retry-After header names, as a number or an HTTP date; None if it names none."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max((parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _root_cause(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _said(error: Exception) -> str:
    """The error's own words, on one line; its name when it has none."""
    text = " ".join(str(error).split())
    return text or type(error).__name__
