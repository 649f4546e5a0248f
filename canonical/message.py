"""The message: one statement, request or reply about one thing, with what is needed to route it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

from canonical.objects import DataObject, Kind, data_object
from canonical.reversal import reversed_key
from canonical.subjects import ROOT, SIGNAL_ROOT, Address, subject

if TYPE_CHECKING:
    from datetime import date, datetime

    from canonical.claim import Claim
    from canonical.element import Element


class Verb(StrEnum):
    """The transaction verbs of IEC 62264-5, and ConfirmBOD."""

    GET = "get"
    SHOW = "show"
    PROCESS = "process"
    ACKNOWLEDGE = "acknowledge"
    CHANGE = "change"
    RESPOND = "respond"
    CANCEL = "cancel"
    SYNC = "sync"
    CONFIRM = "confirm"

    @property
    def states(self) -> bool:
        """True for the owner's statements: sync and show."""
        return self in _STATEMENTS

    @property
    def asks(self) -> bool:
        """True for requests to the owner: get, process, change and cancel."""
        return self in _REQUESTS

    @property
    def replies(self) -> bool:
        """True for what answers a request: acknowledge, respond and confirm (show answers a get as well)."""
        return self in _REPLIES


_STATEMENTS = frozenset({Verb.SYNC, Verb.SHOW})
_REQUESTS = frozenset({Verb.GET, Verb.PROCESS, Verb.CHANGE, Verb.CANCEL})
_REPLIES = frozenset({Verb.ACKNOWLEDGE, Verb.RESPOND, Verb.CONFIRM})


class Action(StrEnum):
    """What a sync does, or how a reply answers (TransactionProfile action codes)."""

    ADD = "Add"
    CHANGE = "Change"
    DELETE = "Delete"
    REPLACED = "Replaced"
    ACCEPTED = "Accepted"
    MODIFIED = "Modified"
    REJECTED = "Rejected"


class Origin(StrEnum):
    """Who noticed what a message says."""

    MACHINE = "machine"
    PERSON = "person"
    DERIVED = "derived"
    IMPORTED = "imported"


def message_id(source: str, object: str, verb: str, key: str, revision: str) -> str:
    """The deterministic id of a message: said again, it has the same id."""
    text = "\x1f".join((source, object, verb, key, revision))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `content` is the body as canonical JSON, empty for a tombstone or a get of everything.

    `id`           deterministic, see `message_id`; publishing it twice is harmless
    `object`       a name of the catalogue
    `source`       the system that says it, as named in routes.yaml
    `key`          identity: which thing; the unit of ownership, versions and supersession. Empty: all (get only)
    `lanes`        order of delivery: what must not overtake what; the first is the subject's
    `revision`     orders versions of one key; None until the bus has assigned one
    `occurred`     when it happened in the world; `recorded` when it was first noted
    `posting`      the business date to post on, where it differs
    `by`           the person or program that noticed it
    `revises`      id of the message this one corrects; `reverses`: id of the one it undoes
    `correlation`  id of the request that this replies to, or of the message that caused it
    `to`           the system a reply is for
    `reason`       why a reply says Rejected or Modified
    `document`     the number the target's document got
    `claim`        where the body is kept when it travels apart: `content` is empty until it is fetched
    """

    id: str
    object: str
    verb: Verb
    source: str
    site: str
    key: str
    lanes: tuple[str, ...]
    occurred: datetime
    recorded: datetime
    content: bytes = b""
    action: Action | None = None
    revision: int | None = None
    posting: date | None = None
    origin: Origin = Origin.IMPORTED
    by: str | None = None
    revises: str | None = None
    reverses: str | None = None
    correlation: str | None = None
    to: str | None = None
    reason: str | None = None
    document: str | None = None
    traceparent: str | None = None
    claim: Claim | None = None
    _body: Element | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        object: str,
        body: Element | None,
        *,
        source: str,
        site: str,
        occurred: datetime,
        recorded: datetime,
        verb: Verb = Verb.SYNC,
        action: Action | None = None,
        revision: int | None = None,
        key: str | None = None,
        lanes: tuple[str, ...] | None = None,
        **attributes: Any,
    ) -> Self:
        """Make a message around a body; key and lanes come from the catalogue unless given.

        Facts without a revision have revision 0; a state's is left for the bus to assign. Syncs without an action are
        Change. A body that names what it reverses (see canonical.reversal) gives `reverses`. No lanes at all (a get of
        everything) are the object's own. Raises UnknownObjectError and KeyMissingError; `key` and `lanes` must be given
        when there is no body.
        """
        row = data_object(object)
        if body is None and (key is None or lanes is None):
            raise ValueError("a message without a body needs its key and lanes given")
        if key is None and body is not None:
            key = row.key_of(body)
        if lanes is None and body is not None:
            lanes = row.lanes_of(body)
        if revision is None and row.kind is not Kind.STATE:
            revision = 0
        if action is None and verb is Verb.SYNC:
            action = Action.CHANGE
        undone = reversed_key(row, body) if body is not None else None
        if undone is not None:
            attributes.setdefault("reverses", message_id(source, object, verb, undone, "0"))
        return cls(
            id=message_id(source, object, verb, key or "", str(revision)), object=object, verb=verb, action=action,
            source=source, site=site, key=key or "", revision=revision, occurred=occurred,
            recorded=recorded, lanes=lanes or (f"{object}:{key or 'all'}",), content=canonical_json(body), _body=body,
            **attributes,
        )  # fmt: skip

    @property
    def lane(self) -> str:
        """The lane of the subject; the others are in `lanes`."""
        return self.lanes[0]

    @property
    def row(self) -> DataObject:
        """The catalogue's row for this message's object."""
        return data_object(self.object)

    @property
    def subject(self) -> str:
        """Where it is published: states by key, so that each has a latest; facts and signals by lane."""
        kind = self.row.kind
        key = self.key if kind is Kind.STATE else ""
        root = SIGNAL_ROOT if kind is Kind.SIGNAL else ROOT
        return subject(Address(self.site, self.object, self.verb, self.source, self.lane, key), root)

    @property
    def body(self) -> Element:
        """The body, decoded when first asked for. Raises pydantic.ValidationError; ValueError when there is none."""
        if self._body is None:
            if not self.content:
                where = "has no body" if self.claim is None else "travels without its body: fetch it first"
                raise ValueError(f"{self.verb} {self.object} {self.key or '(all)'} {where}")
            object.__setattr__(self, "_body", self.row.body.model_validate_json(self.content))
        return self._body  # type: ignore[return-value]

    def with_body(self, body: Element) -> Message:
        """The same message saying `body`: a mapping's result. Key, lanes and id stay what they were."""
        return replace(self, content=canonical_json(body), _body=body)

    def with_revision(self, revision: int) -> Message:
        """The same message as version `revision` of its key, under the id that goes with it."""
        new_id = message_id(self.source, self.object, self.verb, self.key, str(revision))
        return replace(self, id=new_id, revision=revision)


def canonical_json(body: Element | None) -> bytes:
    """The body as it travels: snake_case names, defaults left out, decimals and times as text."""
    return b"" if body is None else body.__pydantic_serializer__.to_json(body, exclude_defaults=True)
