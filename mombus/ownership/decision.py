"""What becomes of a message, by who says it: the owner states, everybody else asks.

the owner     sync, show                  Statement
              process, change, cancel     Statement: sync with action Add, Change, Delete
              acknowledge … of a request  Reply to the asker
others        sync, show, as the owner    Echo
              sync, show, otherwise       Refused, and a disagreement
              get, process, change …      Request to the owner
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

from canonical.message import Action, Message, Verb, message_id

if TYPE_CHECKING:
    from mombus.journal.requests import OpenRequest

EXPIRY = {Verb.GET: timedelta(seconds=30)}
"""How long a request is open, where it isn't LONG_EXPIRY."""
LONG_EXPIRY = timedelta(hours=24)

_STATED_BY = {Verb.PROCESS: Action.ADD, Verb.CHANGE: Action.CHANGE, Verb.CANCEL: Action.DELETE}


@dataclass(frozen=True, slots=True)
class Statement:
    """The owner's word, as sync; a state still gets its revision."""

    message: Message


@dataclass(frozen=True, slots=True)
class Echo:
    """Nothing new: dropped and counted."""

    reason: str
    agrees: bool = False
    """True when somebody else says what the owner says: an open disagreement ends."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It may not be said. `owner` is set when that is a disagreement with what `owner_says` (None: nothing)."""

    reason: str
    owner: str | None = None
    owner_says: bytes | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Goes to the owner, answered within `expiry` or Rejected."""

    message: Message
    owner: str
    expiry: timedelta


@dataclass(frozen=True, slots=True)
class Reply:
    """Goes to the asker."""

    message: Message


Decision: TypeAlias = Statement | Echo | Refused | Request | Reply


def decide(message: Message, *, owner: str | None, said: Message | None, asked: OpenRequest | None) -> Decision:
    """Decide about one message.

    `owner` owns its object here. `said` is what the owner says now about its key, needed when somebody else states.
    `asked` is the request that a reply names.
    """
    if is_reply(message):
        return _reply(message, asked)
    if owner is None:
        return Refused(
            f"nobody owns {message.object} here: declare its owner under `objects:`, or stop {message.source} saying it"
        )
    if message.source == owner:
        return _from_owner(message)
    if message.verb.asks:
        return Request(replace(message, id=_request_id(message), to=owner), owner, expiry(message.verb))
    return _from_another(message, owner, said)


def is_reply(message: Message) -> bool:
    """True for what answers a request: acknowledge, respond, confirm, and a show that names its get."""
    return message.verb.replies or (message.verb is Verb.SHOW and message.correlation is not None)


def expiry(verb: Verb) -> timedelta:
    """How long a request with that verb stays open."""
    return EXPIRY.get(verb, LONG_EXPIRY)


def _from_owner(message: Message) -> Decision:
    if message.verb is Verb.GET:
        return Refused(f"{message.source} owns {message.object}: nobody else can answer its get")
    action = _STATED_BY.get(message.verb, message.action or Action.CHANGE)
    return Statement(replace(message, verb=Verb.SYNC, action=action, to=None))


def _from_another(message: Message, owner: str, said: Message | None) -> Decision:
    if said is None:
        return Refused(
            f"{message.object} is owned by {owner}, which has said nothing about {message.key}: "
            f"{message.source} may ask {owner} for it (process), not state it",
            owner,
        )
    if same(message, said):
        return Echo(f"{owner} says the same", agrees=True)
    return Refused(
        f"{message.object} {message.key} is owned by {owner}, which says otherwise: kept as a disagreement", owner,
        said.content if said.action is not Action.DELETE else b"",
    )  # fmt: skip


def _reply(message: Message, asked: OpenRequest | None) -> Decision:
    if asked is None:
        return Refused(
            f"{message.verb} answers no request that was asked here (correlation {message.correlation or 'missing'})"
        )
    if asked.owner != message.source:
        return Refused(f"the request was for {asked.owner}: {message.source} can't answer it")
    if asked.state == "expired":
        return Refused(f"the request expired at {asked.expires.isoformat(timespec='seconds')}: {asked.asker} was told")
    if asked.state == "answered" and message.verb is not Verb.SHOW:
        return Echo("the request is answered already: the first answer counts")
    number = f":{message.key}" if message.verb is Verb.SHOW else ""
    return Reply(replace(
        message, id=f"{asked.id}:{message.source}{number}", to=asked.asker, correlation=asked.id,
        revision=message.revision or 0,
    ))  # fmt: skip


def _request_id(message: Message) -> str:
    """Asking again later is another request, except for a creation: that is keyed by the asker's reference."""
    given = message_id(message.source, message.object, message.verb, message.key, str(message.revision))
    if message.id != given or message.verb is Verb.PROCESS:
        return message.id
    what = f"{digest(message).hex()} {message.occurred.isoformat()}"
    return message_id(message.source, message.object, message.verb, message.key, what)


def digest(message: Message) -> bytes:
    """What a message says, in 16 bytes: equal for equal bodies, and for deletions whatever their body.

    A body that is kept apart needn't be fetched for it: its claim has the same digest.
    """
    if message.claim is not None and message.action is not Action.DELETE:
        return bytes.fromhex(message.claim.sha256)[:16]
    content = b"deleted" if message.action is Action.DELETE else message.content
    return sha256(content).digest()[:16]


def same(one: Message, other: Message) -> bool:
    """True if both say the same about their thing."""
    return digest(one) == digest(other)
