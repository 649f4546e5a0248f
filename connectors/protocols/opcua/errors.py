"""What OPC UA's errors mean for a message: the one translation of this wire."""

from __future__ import annotations

from asyncua.common.utils import ServiceError
from asyncua.ua.status_codes import get_name_and_doc
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from connectors.connector import (
    ConnectorError,
    Halted,
    MappingError,
    NotConnected,
    OutcomeUnknown,
    Rejected,
    RetryableError,
)

TRANSLATED = (UaError, OSError, TimeoutError)
"""Everything that asyncua raises when the server or the wire is at fault; other exceptions are bugs."""

_HALTING = (
    "BadUserAccessDenied", "BadIdentity", "BadCertificate", "BadSecurity", "BadLicense", "BadUserSignature",
    "BadNoValidCertificates", "BadApplicationSignature", "BadNonceInvalid", "BadRoleDefinition",
)  # fmt: skip
_GONE = (
    "BadNotConnected", "BadServerNotConnected", "BadConnection", "BadSession", "BadSecureChannel", "BadServerHalted",
    "BadShutdown", "BadCommunicationError", "BadTcp", "BadDisconnect", "BadEndOfStream", "BadNoSubscription",
    "BadSubscriptionIdInvalid", "BadHostUnknown",
)  # fmt: skip
_LATER = (
    "BadTooMany", "BadServerTooBusy", "BadTcpServerTooBusy", "BadResourceUnavailable", "BadOutOfMemory",
    "BadNoCommunication", "BadDeviceFailure", "BadSensorFailure", "BadOutOfService", "BadWaiting", "BadMaxConnections",
    "BadDataUnavailable", "BadSessionNotActivated", "BadOperationAbandoned", "BadWouldBlock", "BadInUse", "BadLocked",
    "BadNothingToDo", "BadRequestNotAllowed",
)  # fmt: skip
_UNSURE = (
    "BadTimeout", "BadRequestTimeout", "BadUnexpectedError", "BadInternalError", "BadUnknownResponse",
    "BadRequestInterrupted", "BadRequestCancelled", "BadRequestCanceled", "BadDecodingError", "BadResponseTooLarge",
)  # fmt: skip
_UNSAYABLE = (
    "BadTypeMismatch", "BadOutOfRange", "BadIndex", "BadInvalidArgument", "BadArgumentsMissing", "BadTooManyArguments",
    "BadNodeId", "BadNodeClass", "BadMethodInvalid", "BadAttributeIdInvalid", "BadNotWritable", "BadNotReadable",
    "BadWriteNotSupported", "BadNotExecutable", "BadNoMatch", "BadBrowseName", "BadEncoding", "BadDataEncoding",
    "BadRequestTooLarge", "BadStructure", "BadNotSupported", "BadNotImplemented", "BadServiceUnsupported",
    "BadDataTypeIdUnknown", "BadSyntaxError", "BadDominantValueChanged",
)  # fmt: skip
_ADVICE = {
    "BadUserAccessDenied": "give this user the right on the server, or another user in the config",
    "BadIdentityTokenRejected": "check user and password",
    "BadIdentityTokenInvalid": "the server wants another kind of login: set user and password, or a user certificate",
    "BadSecurityPolicyRejected": "the server doesn't offer this security_policy and security_mode",
    "BadSecurityChecksFailed": "the server doesn't trust this client's certificate: accept it on the server",
}


def translate(error: BaseException, what: str, *, sent: bool = False) -> ConnectorError:
    """The ConnectorError for one of TRANSLATED. `sent` is True once a write or call had left for the server.

    What isn't known to be harmless after sending is OutcomeUnknown; a Bad code without a rule is the server's no.
    """
    if not isinstance(error, UaStatusCodeError | ServiceError):
        text = f"{what}: {str(error) or type(error).__name__}"
        if sent:
            return OutcomeUnknown(f"{text}; no answer came, so look whether it took effect")
        return NotConnected(f"{text}; is the server running and its address right?")
    name, doc = get_name_and_doc(error.code)
    return of_status(name, f"{what}: {name} ({doc})", sent=sent)


def of_status(name: str, text: str, *, sent: bool = False) -> ConnectorError:
    """The ConnectorError for a Bad status code by its name."""
    if name.startswith(_UNSAYABLE):
        return MappingError(text)
    if name.startswith(_LATER):
        return RetryableError(text)
    if name.startswith(_HALTING):
        advice = _ADVICE.get(name)
        return Halted(f"{text}; {advice}" if advice else text)
    if name.startswith((*_GONE, *_UNSURE)):
        if sent:
            return OutcomeUnknown(f"{text}; look whether it took effect")
        return NotConnected(text) if name.startswith(_GONE) else RetryableError(text)
    return Rejected(text)
