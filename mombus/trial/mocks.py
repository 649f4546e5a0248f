"""How a case plays a system over its wire: what is answered there, to which requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from mombus.config.model import Section

if TYPE_CHECKING:
    from connectors.connector import Speaks

ANSWERS = ("status", "headers", "body", "file", "fault")
NO_CONNECTION, NO_ANSWER, BREAKS_OFF = "no connection", "no answer", "breaks off"
BODILESS = frozenset({204, 205, 304})
_TAKEN: Mapping[str, tuple[str, ...]] = {
    "http": ("status", "headers", "body", "file"),
    "soap": ("status", "headers", "body", "file", "fault"),
    "mqtt": ("body", "file"),
    "opcua": ("status", "body", "file"),
    "nats": ("body", "file"),
}
"""What an answer is made of, by wire."""
_TROUBLES: Mapping[str, tuple[str, ...]] = {
    "http": (NO_CONNECTION, NO_ANSWER, BREAKS_OFF), "soap": (NO_CONNECTION, NO_ANSWER, BREAKS_OFF),
    "mqtt": (NO_ANSWER,), "opcua": (NO_CONNECTION, NO_ANSWER, BREAKS_OFF),
    "nats": (NO_CONNECTION, NO_ANSWER),
}  # fmt: skip
_LEAST, _MOST = 200, 599
_CODE = "(Good|Uncertain|Bad)[A-Za-z0-9]*"


def _is_status(status: int | str) -> int | str:
    if isinstance(status, int) and not _LEAST <= status <= _MOST:
        raise ValueError(f"{status} is no HTTP status: {_LEAST} to {_MOST}")
    if isinstance(status, str) and not re.fullmatch(_CODE, status):
        raise ValueError(f"'{status}' is no status: a number over HTTP, a code such as BadOutOfRange over OPC UA")
    return status


Status = Annotated[
    int | str, AfterValidator(_is_status),
    WithJsonSchema({"anyOf": [
        {"type": "integer", "minimum": _LEAST, "maximum": _MOST}, {"type": "string", "pattern": f"^{_CODE}$"},
    ]}),
]  # fmt: skip


class SoapFault(Section):
    """A fault in SOAP's words."""

    code: str = Field(
        default="Server", pattern="^[A-Za-z.]+$", description="Client blames the document, Server the service itself."
    )
    text: str = Field(min_length=1, description="What it says.")


class Mock(Section):
    """One answer of a system, as it goes over its wire, and to which requests."""

    method: str | None = Field(
        default=None, description="Only to requests of this method: PUT …; SOAP, PUBLISH, CALL, REQUEST."
    )
    path: str | None = Field(
        default=None,
        description="Only to requests there: path and query, document, topic, node or subject; `*` is any part.",
    )
    times: int | None = Field(default=None, ge=1, description="How often it answers so; without it from then on.")
    status: Status | None = Field(
        default=None, description="HTTP status; 200, of a fault 500. Over OPC UA a status code's name; Good."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="HTTP headers, such as Retry-After.")
    body: Any = Field(
        default=None, description="JSON; text as it stands: XML, a page. SOAP: no envelope; CALL: outputs."
    )
    file: str | None = Field(default=None, description="The body's file, from this file's folder on.")
    fault: SoapFault | None = Field(default=None, description="A SOAP fault instead of a document.")
    trouble: Literal["no connection", "no answer", "breaks off"] | None = Field(
        default=None,
        description="No answer: it refuses connections, lets the request time out, or hangs up once it has it.",
    )

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        said = [name for name in ANSWERS if name in self.model_fields_set]
        if self.trouble is not None and said:
            raise ValueError(f"it is an answer (`{said[0]}`) or `trouble`, not both")
        if self.trouble is None and not said:
            raise ValueError(f"say what is answered: {', '.join(ANSWERS)}; or `trouble`")
        if len([name for name in said if name in {"body", "file", "fault"}]) > 1:
            raise ValueError("say one of body, file, fault")
        if self.status in BODILESS and {"body", "file", "fault"} & self.model_fields_set:
            raise ValueError(f"an answer with status {self.status} has no body (RFC 9110): leave it out")
        if self.trouble == NO_CONNECTION and self.model_fields_set - {"trouble"}:
            raise ValueError("where there is no connection there are no requests: leave out method, path and times")
        return self

    def fits(self, method: str, path: str) -> bool:
        """True if it answers such a request."""
        return self.method in {None, method} and (self.path is None or _fits(self.path, path))

    def misfits(self, speaks: Speaks) -> Iterator[tuple[str, str]]:
        """What a wire hasn't got: the key, and what to do."""
        for name in ANSWERS:
            if name in self.model_fields_set and name not in _TAKEN[speaks]:
                yield name, f"over {speaks} an answer has no `{name}`, only {', '.join(_TAKEN[speaks])}"
        if self.status is not None and isinstance(self.status, str) != (speaks == "opcua"):
            yield "status", "over OPC UA it is a code such as BadOutOfRange, over HTTP a number"
        if self.trouble is not None and self.trouble not in _TROUBLES[speaks]:
            yield "trouble", f"over {speaks} only {', '.join(_TROUBLES[speaks])} is played; `answers` plays the others"


@dataclass(frozen=True, slots=True)
class Line:
    """A mock with the body that it answers, empty without one."""

    mock: Mock
    content: bytes = b""
    content_type: str = "application/json"


def media_type(body: Any) -> str:
    """What a body's form says of it."""
    if not isinstance(body, str):
        return "application/json"
    start = body.lstrip()[:9].casefold()
    if start.startswith(("<!doctype", "<html")):
        return "text/html"
    return "application/xml" if start.startswith("<") else "text/plain"


def _fits(pattern: str, path: str) -> bool:
    """`*` alone is special: `?` begins a query, and `[` stands in some."""
    return fnmatchcase(path, pattern.replace("[", "[[]").replace("?", "[?]"))
