"""The translation of OPC UA's errors is complete, and says the right thing for the codes that matter."""

from __future__ import annotations

import inspect

import pytest
from asyncua import ua
from asyncua.common import utils
from asyncua.ua import uaerrors

from connectors.connector import (
    ConnectorError,
    Halted,
    MappingError,
    NotConnected,
    OutcomeUnknown,
    Rejected,
    RetryableError,
)
from connectors.protocols.opcua.errors import TRANSLATED, translate

BAD = [(name, code) for name, code in vars(ua.StatusCodes).items() if name.startswith("Bad")]
DECIDED = {RetryableError, NotConnected, Halted, MappingError, Rejected, OutcomeUnknown}


@pytest.mark.parametrize("sent", [False, True])
def test_every_status_code_has_one_meaning(sent: bool) -> None:
    for name, code in BAD:
        error = translate(ua.UaStatusCodeError(code), "writing X", sent=sent)
        assert type(error) in DECIDED, name
        assert name in str(error)
        assert "writing X" in str(error)
        assert sent or not isinstance(error, OutcomeUnknown), f"{name}: nothing was sent, so the outcome is known"
        assert not (sent and isinstance(error, NotConnected)), f"{name}: something was sent"


def test_every_exception_of_the_library_is_translated() -> None:
    """Whatever asyncua defines as an exception is one of TRANSLATED."""
    for module in (uaerrors, utils, ua):
        for name, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Exception) and kind.__module__.startswith("asyncua"):
                assert issubclass(kind, TRANSLATED), name


@pytest.mark.parametrize("error", [OSError("refused"), ConnectionError("gone"), TimeoutError(), ua.UaError("odd")])
def test_the_wire_is_not_connected_before_and_unknown_after_sending(error: Exception) -> None:
    assert isinstance(error, TRANSLATED)
    assert type(translate(error, "calling")) is NotConnected
    assert type(translate(error, "calling", sent=True)) is OutcomeUnknown


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("BadUserAccessDenied", Halted, Halted),
        ("BadIdentityTokenRejected", Halted, Halted),
        ("BadCertificateUntrusted", Halted, Halted),
        ("BadLicenseExpired", Halted, Halted),
        ("BadTypeMismatch", MappingError, MappingError),
        ("BadOutOfRange", MappingError, MappingError),
        ("BadNodeIdUnknown", MappingError, MappingError),
        ("BadTooManyArguments", MappingError, MappingError),
        ("BadWriteNotSupported", MappingError, MappingError),
        ("BadTimeout", RetryableError, OutcomeUnknown),
        ("BadConnectionClosed", NotConnected, OutcomeUnknown),
        ("BadSessionIdInvalid", NotConnected, OutcomeUnknown),
        ("BadServerHalted", NotConnected, OutcomeUnknown),
        ("BadTooManyOperations", RetryableError, RetryableError),
        ("BadServerTooBusy", RetryableError, RetryableError),
        ("BadInvalidState", Rejected, Rejected),
    ],
)
def test_codes_that_matter(name: str, before: type[ConnectorError], after: type[ConnectorError]) -> None:
    error = ua.UaStatusCodeError(getattr(ua.StatusCodes, name))
    assert type(translate(error, "x")) is before
    assert type(translate(error, "x", sent=True)) is after
