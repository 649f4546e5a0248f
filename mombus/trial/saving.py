"""A case written from messages of the bus, without what isn't for everybody's eyes."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from canonical.message import Action, Origin, Verb
from canonical.objects import shown_key
from mombus.trial.masking import DECLARED, Masks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from canonical.message import Message


class Got(NamedTuple):
    """A message as a target got it, in its own ids; and its document's number there, or why it was refused."""

    message: Message
    number: str | None = None
    refused: str | None = None


def case_of(
    messages: Sequence[Message], *, name: str | None = None, got: Mapping[str, Sequence[Got]] | None = None
) -> str:
    """A file of route tests with one case: these messages are given, one after the other, each with its body.

    `got` is what each target got of them; without any the case expects that nobody gets anything, and `mombus test`
    tells what comes. A target answers as it did, where only one message of an object went there. Persons, free text,
    contact data and document numbers are pseudonyms, the same one always alike; the file says so. The result is read by
    `mombus.trial.reading.read` beside a routes.yaml.
    """
    masks = Masks()
    masked = [masks.message(message) for message in messages]
    given = [_given(message) for message in masked]
    expect: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    for system, theirs in (got or {}).items():
        counted = Counter(one.message.object for one in theirs)
        shown = [_shown(one, masks, alone=counted[one.message.object] == 1) for one in theirs]
        expect[system] = [expected for expected, _ in shown]
        answers |= {system: said} if (said := [answer for _, answer in shown if answer]) else {}
    first = masked[0]
    title = name or f"{first.object} {shown_key(first.object, first.key)} as {first.source} said it"
    case: dict[str, Any] = {
        "name": title, "given": given, **({"answers": answers} if answers else {}),
        **({"expect": expect} if expect else {"nobody_else": True}),
    }  # fmt: skip
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


def _shown(got: Got, masks: Masks, *, alone: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is expected of it, and what the target answers, if that can be told apart from its other answers."""
    message = masks.message(got.message)
    expected: dict[str, Any] = {"object": message.object}
    answer: dict[str, Any] = {}
    if alone and got.refused is not None:
        answer = {"object": message.object, "refuses": masks.told(got.refused)}
        expected["state"] = "parked"
    elif alone and got.number is not None:
        answer = {"object": message.object, "number": masks.number(got.number)}
        expected["document"] = answer["number"]
    return {**expected, **({"body": json.loads(message.content)} if message.content else {})}, answer
