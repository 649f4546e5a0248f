"""Between a NATS system's messages and canonical ones: pure, no I/O.

What it says is the canonical body as JSON, with CloudEvents headers of which none is required. Its ids are made here
from its name, so that no header it writes can take an id that another system's message has, or will have.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from canonical.message import Action, Message, Origin, Verb, message_id
from canonical.objects import KeyMissingError, data_object
from connectors.connector import (
    Absent,
    ConnectorError,
    Lacking,
    Level,
    MappingError,
    OutcomeUnknown,
    Receipt,
    Rejected,
    RetryableError,
)
from connectors.strict_json import StrictJsonError, read_json, read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.connector import Offer, Surroundings

MOST_REASON = 1000
_MOST_WAIT_S = 86_400


class Answer(BaseModel):
    """What a system answers to what it is told, or asked about what it was told."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    status: Literal["received", "accepted", "rejected", "lacking", "later", "absent"]
    document: str | None = Field(default=None, min_length=1, max_length=1000)
    reason: str | None = None
    after_s: float | None = Field(default=None, ge=0, le=_MOST_WAIT_S)


def understood(
    offer: Offer, headers: Mapping[str, str], content: bytes, surroundings: Surroundings, now: datetime, *, most: int
) -> Message:
    """What the system says. Raises MappingError naming what is wrong with it.

    A message that says it is another system's keeps that claim: the hub refuses it and notes who tried.
    """
    given = {name.lower(): unquote(value.strip()) for name, value in headers.items()}
    try:
        message = _message(offer, given, content, surroundings, now, most)
    except (StrictJsonError, KeyMissingError) as error:
        raise MappingError(f"{offer.object}: {error}") from None
    except ValidationError as error:
        raise MappingError(f"{offer.object}: {_findings(error)}") from None
    source, site = given.get("ce-source", surroundings.system), given.get("ce-site", surroundings.site)
    return replace(message, source=source, site=site)


def _message(  # noqa: PLR0917 - one message, put together in one place
    offer: Offer, given: Mapping[str, str], content: bytes, surroundings: Surroundings, now: datetime, most: int
) -> Message:
    body, action, key = None, _action(given), given.get("ce-subject")
    if content.strip():
        read_object(content, most)
        body = data_object(offer.object).body.model_validate_json(content)
    elif offer.verb is not Verb.GET and (action is not Action.DELETE or not key):
        raise MappingError(f"{offer.object}: the body is missing; `ce-action: Delete` with `ce-subject` needs none")
    message = Message.of(
        offer.object, body, verb=offer.verb, source=surroundings.system, site=surroundings.site, action=action,
        occurred=_time(given, now), recorded=now, revision=_revision(given), posting=_posting(given),
        key=None if body is not None else key or "", lanes=None if body is not None else (),
        origin=_origin(given), by=given.get("ce-by"), traceparent=given.get("traceparent"),
        **_corrected(offer, given, surroundings.system),
    )  # fmt: skip
    if key is not None and key != message.key:
        raise MappingError(f"{offer.object}: `ce-subject` is {key!r}, the body is about {message.key!r}")
    return message


def _corrected(offer: Offer, given: Mapping[str, str], system: str) -> dict[str, str]:
    """Facts are named by their keys; only the system's own can be meant."""
    named = {name: given.get(f"ce-{name}") for name in ("revises", "reverses")}
    return {name: message_id(system, offer.object, offer.verb, key, "0") for name, key in named.items() if key}


def _action(given: Mapping[str, str]) -> Action | None:
    word = given.get("ce-action")
    try:
        return None if word is None else Action(word)
    except ValueError:
        raise MappingError(f"`ce-action` is {word!r}, none of {', '.join(Action)}") from None


def _origin(given: Mapping[str, str]) -> Origin:
    word = given.get("ce-origin", Origin.IMPORTED)
    try:
        return Origin(word)
    except ValueError:
        raise MappingError(f"`ce-origin` is {word!r}, none of {', '.join(Origin)}") from None


def _revision(given: Mapping[str, str]) -> int | None:
    text = given.get("ce-revision")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MappingError(f"`ce-revision` is {text[:40]!r}, no number that grows with each version")
    return int(text)


def _time(given: Mapping[str, str], now: datetime) -> datetime:
    text = given.get("ce-time")
    try:
        moment = now if text is None else datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise MappingError(f"`ce-time` is {text!r}, no time with its offset such as 2026-03-02T09:14:05+01:00")
    return moment


def _posting(given: Mapping[str, str]) -> date | None:
    text = given.get("ce-posting")
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise MappingError(f"`ce-posting` is {text!r}, no date such as 2026-03-02") from None


def _findings(error: ValidationError) -> str:
    found = [(".".join(map(str, one["loc"])) or "body", one["msg"]) for one in error.errors(include_url=False)[:5]]
    return "; ".join(f"{place}: {text.removeprefix('Value error, ')}" for place, text in found)


def receipt(content: bytes, most: int) -> Receipt | Absent:
    """What an answer means. Raises Rejected, RetryableError, OutcomeUnknown."""
    try:
        read_object(content, most)
        answer = Answer.model_validate_json(content)
    except (StrictJsonError, ValidationError) as error:
        raise OutcomeUnknown(f"the answer makes no sense: {content[:200]!r} ({type(error).__name__})") from None
    if answer.status == "absent":
        return Absent()
    if answer.status in {"received", "accepted"}:
        level = Level.POSTED if answer.document else Level(answer.status)
        return Receipt(level, answer.document)
    raise _refusal(answer)


def _refusal(answer: Answer) -> ConnectorError:
    reason = (answer.reason or "it gives no reason")[:MOST_REASON]
    match answer.status:
        case "rejected":
            return Rejected(reason)
        case "lacking":
            return Lacking(reason, answer.after_s)
        case _:
            return RetryableError(reason, answer.after_s)


def shows(get: Message, content: bytes, surroundings: Surroundings, now: datetime, *, most: int) -> list[Message]:
    """The things an answer to a get shows: a list of bodies, or one. Raises Rejected, RetryableError, MappingError."""
    try:
        document = read_json(content, most)
        if isinstance(document, dict) and "status" in document and "reason" in document:
            raise _refusal(Answer.model_validate_json(content))
        listed = content if isinstance(document, list) else b"[" + content + b"]"
        bodies = TypeAdapter(list[get.row.body]).validate_json(listed)  # type: ignore[name-defined]
    except StrictJsonError as error:
        raise MappingError(f"its answer: {error}") from None
    except ValidationError as error:
        raise MappingError(f"its answer: {_findings(error)}") from None
    return [
        Message.of(
            get.object, body, verb=Verb.SHOW, source=surroundings.system, site=surroundings.site, occurred=now,
            recorded=now,
        )
        for body in bodies
    ]  # fmt: skip
