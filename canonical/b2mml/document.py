"""A document: what it says as messages, what was wrong with it, and all that is needed to write it again."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Self

from canonical.b2mml.faults import BadItem, Finding
from canonical.message import Action, Message, Origin, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER = "mombus-item"
"""The processing instruction that stands in a skeleton where an item was."""


@dataclass(frozen=True, slots=True)
class Response:
    """How a reply answers (ResponseCriteria): for which items, with which reason, under which document number."""

    action: Action | None = None
    expression: str = ""
    document: str | None = None
    reason_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What one item of a document became: messages (by index) or a fault; the order of its material actuals."""

    messages: tuple[int, ...] = ()
    fault: int | None = None
    order: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One B2MML document.

    `version`       "V7.0.1" or "V4.01"
    `verb`, `noun`  as the root element says; NotifyOperationsEvent is a sync
    `messages`      what it says, one per fact or thing, in its order
    `faults`        the items that could not be taken; the others were
    `bod_id`        ApplicationArea/BODID; `reference_id` Sender/ReferenceID; `logical_id` Sender/LogicalID
    `confirmation`  "Always", "Never" or "OnError": does the sender want an answer
    `created`       ApplicationArea/CreationDateTime
    `original_*`    for a reply: BODID, ReferenceID and sender of the document it answers
    `responses`     for a reply: how it answers
    `skeleton`      the document without its items, each replaced by a placeholder; `entries` says what they became
    """

    version: str
    verb: Verb
    noun: str
    messages: tuple[Message, ...]
    faults: tuple[BadItem, ...]
    bod_id: str | None
    logical_id: str | None
    reference_id: str | None
    confirmation: str
    created: datetime
    original_bod_id: str | None = None
    original_reference_id: str | None = None
    original_logical_id: str | None = None
    responses: tuple[Response, ...] = ()
    skeleton: str
    entries: tuple[Entry, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything wrong with the document's items."""
        return tuple(finding for fault in self.faults for finding in fault.findings)

    def with_messages(self, messages: tuple[Message, ...]) -> Document:
        """The same document saying `messages`, one for each it said before."""
        if len(messages) != len(self.messages):
            raise ValueError(f"{len(messages)} messages for a document of {len(self.messages)}")
        return replace(self, messages=messages)

    def to_json(self) -> str:
        """The document as JSON text, bodies as canonical JSON; `from_json` reads it back."""
        return json.dumps(_jsonable(self), ensure_ascii=False, indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a document back. Raises ValueError naming what is missing or malformed."""
        try:
            said = json.loads(text)
            said["messages"] = tuple(_message(one) for one in said["messages"])
            said["faults"] = tuple(_fault(one) for one in said["faults"])
            said["responses"] = tuple(_response(one) for one in said["responses"])
            said["entries"] = tuple(_entry(one) for one in said["entries"])
            said["verb"], said["created"] = Verb(said["verb"]), datetime.fromisoformat(said["created"])
            return cls(**said)
        except KeyError as missing:
            raise ValueError(f"{missing} is missing: this is no document as `b2mml read --json` writes it") from None
        except (TypeError, AttributeError) as malformed:
            raise ValueError(f"no document as `b2mml read --json` writes it: {malformed}") from None


def _jsonable(value: Any) -> Any:
    if isinstance(value, Message):
        return _message_json(value)
    if isinstance(value, (Document, Response, Entry, BadItem, Finding)):
        return {each.name: _jsonable(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_jsonable(one) for one in value]
    return value.isoformat() if isinstance(value, (datetime, date)) else value


def _message_json(message: Message) -> dict[str, Any]:
    said = {
        each.name: _jsonable(value)
        for each in fields(message)
        if not each.name.startswith("_")
        and each.name != "content"
        and (value := getattr(message, each.name)) is not None
    }
    return said | {"body": json.loads(message.content) if message.content else None}


def _message(said: Mapping[str, Any]) -> Message:
    given = dict(said)
    body, posting, action = given.pop("body"), given.pop("posting", None), given.pop("action", None)
    content = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(**given | {
        "content": content, "verb": Verb(given["verb"]), "origin": Origin(given["origin"]),
        "action": Action(action) if action else None, "posting": date.fromisoformat(posting) if posting else None,
        "lanes": tuple(given["lanes"]), "occurred": datetime.fromisoformat(given["occurred"]),
        "recorded": datetime.fromisoformat(given["recorded"]),
    })  # fmt: skip


def _fault(said: Mapping[str, Any]) -> BadItem:
    return BadItem(**{**said, "others": tuple(Finding(**one) for one in said["others"])})


def _response(said: Mapping[str, Any]) -> Response:
    return Response(**{**said, "action": Action(said["action"]) if said["action"] else None})


def _entry(said: Mapping[str, Any]) -> Entry:
    return Entry(tuple(said["messages"]), said["fault"], tuple(said["order"]))
