"""A case written from messages of the bus, without what isn't for everybody's eyes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from canonical.message import Action, Origin, Verb
from canonical.objects import shown_key
from mombus.trial.masking import DECLARED, Masks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from canonical.message import Message


def case_of(
    messages: Sequence[Message], *, name: str | None = None, got: Mapping[str, Sequence[Message]] | None = None
) -> str:
    """A file of route tests with one case: these messages are given, one after the other, each with its body.

    `got` are the messages that each target got of them, in its own ids; without any the case expects that nobody gets
    anything, and `mombus test` tells what comes. Persons, free text, contact data and document numbers are pseudonyms,
    the same one always alike; the file says so. The result is read by `mombus.trial.reading.read` beside a routes.yaml.
    """
    masks = Masks()
    masked = [masks.message(message) for message in messages]
    given = [_given(message) for message in masked]
    expect = {
        system: [_expected(masks.message(message)) for message in theirs] for system, theirs in (got or {}).items()
    }  # fmt: skip
    first = masked[0]
    title = name or f"{first.object} {shown_key(first.object, first.key)} as {first.source} said it"
    case: dict[str, Any] = {"name": title, "given": given, **({"expect": expect} if expect else {"nobody_else": True})}
    text = yaml.safe_dump({"tests": [case]}, allow_unicode=True, sort_keys=False, width=120)
    return f"# Saved from messages of the bus. Pseudonyms stand for {DECLARED}.\n{text}"


def _given(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"from": message.source, "object": message.object}
    if message.verb is not Verb.SYNC:
        said["verb"] = message.verb.value
    if message.action is not None and message.action is not Action.CHANGE:
        said["action"] = message.action.value
    if message.revision:
        said["revision"] = message.revision
    said["occurred"] = message.occurred.isoformat()
    if message.origin is not Origin.IMPORTED:
        said["origin"] = message.origin.value
    for field in ("by", "correlation", "to"):
        if getattr(message, field) is not None:
            said[field] = getattr(message, field)
    if message.posting is not None:
        said["posting"] = message.posting.isoformat()
    return {**said, **({"body": json.loads(message.content)} if message.content else {"key": message.key})}


def _expected(message: Message) -> dict[str, Any]:
    return {"object": message.object, **({"body": json.loads(message.content)} if message.content else {})}
