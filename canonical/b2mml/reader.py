"""Read a document: bytes to messages, bad items by name, nothing lost."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from lxml import etree
from pydantic import ValidationError

from canonical.b2mml.decode import Plain, compiled, reader
from canonical.b2mml.document import PLACEHOLDER, Document, Entry
from canonical.b2mml.envelope import Envelope, action_for, open_envelope, response_for
from canonical.b2mml.faults import BadItem, Finding, Misfit
from canonical.b2mml.lines import split
from canonical.b2mml.nouns import SEGMENT, Item, items, local, word
from canonical.b2mml.places import findings_of
from canonical.b2mml.secure import MAX_BYTES, parse
from canonical.b2mml.table import V4
from canonical.isa95.operations import SegmentResponse
from canonical.message import Action, Message, Verb
from canonical.objects import DataObject, KeyMissingError, data_object

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from canonical.element import Element

OCCURRED: dict[str, tuple[str, ...]] = {
    "production_response": ("actual_end_time", "actual_start_time", "published_date"),
    "material_consumption": ("actual_end_time", "actual_start_time", "published_date"),
    "labour": ("actual_end_time", "actual_start_time", "published_date"),
    "defect": ("actual_end_time", "actual_start_time", "published_date"),
    "lot_transformation": ("actual_end_time", "actual_start_time", "published_date"),
    "maintenance_response": ("end_time", "start_time"),
    "inventory_movement": ("end_time", "start_time"),
    "job_response": ("end_time", "published_date", "start_time"),
    "job_order": ("published_date",),
    "material": ("published_date",),
    "material_lot": ("published_date",),
    "equipment": ("published_date",),
    "quality_result": ("evaluation_date",),
    "release_decision": ("decided",),
    "stock_level": ("as_of",),
    "escalation": ("time_stamp", "published_date"),
    "downtime": ("end_time", "start_time"),
    "alarm": ("effective_time_stamp", "record_time_stamp"),
    "deviation": ("effective_time_stamp", "record_time_stamp"),
    "maintenance_event": ("effective_time_stamp", "record_time_stamp"),
}
"""When a thing happened, by object: the first of these that is known, else the document's CreationDateTime."""

_WITHOUT_BODY = frozenset({Verb.GET, Verb.CANCEL})


def read(
    data: bytes, *, source: str, site: str, recorded: datetime, max_bytes: int = MAX_BYTES,
    timezone: ZoneInfo | None = None, seen: Seen | None = None,
) -> Document:  # fmt: skip
    """Read one B2MML document (V7.0.1, or the V4.01 nouns) that the system `source` of `site` sent.

    `recorded` is when it came in. `timezone` is the site's, for documents whose times name no offset; without it such
    times are refused. Raises DocumentError for bytes that are no B2MML transaction, or unsafe; items that don't fit
    are in the document's `faults` and don't stop the others. `seen` is given to all parts of one document that was
    split: what is in it twice is refused wherever it stands.
    """
    root = parse(data, max_bytes)
    envelope = open_envelope(root, timezone)
    reading = _Reading(
        envelope, root, source=source, site=site, recorded=recorded, zone=timezone, seen=seen or Seen()
    )  # fmt: skip
    return reading.document()


class Seen:
    """What a document has said so far: things, and segment responses by their ids."""

    def __init__(self) -> None:
        self.things: set[tuple[str, str]] = set()
        self.responses: set[str] = set()


class _Reading:
    """One document being read."""

    def __init__(
        self, envelope: Envelope, root: etree._Element, *, source: str, site: str, recorded: datetime,
        zone: ZoneInfo | None, seen: Seen,
    ) -> None:  # fmt: skip
        self.envelope = envelope
        self.root = root
        self.source = source
        self.site = site
        self.recorded = recorded
        self.zone = zone
        self.messages: list[Message] = []
        self.faults: list[BadItem] = []
        self.entries: list[Entry] = []
        self.seen = seen.things
        self.responses = seen.responses

    def document(self) -> Document:
        """Read every item; what is left of the tree is the skeleton."""
        env = self.envelope
        for item in list(items(env.version, env.noun, env.data_area)):
            if self._item(item):
                holder = item.element.getparent()
                place = etree.ProcessingInstruction(PLACEHOLDER, str(len(self.entries) - 1))
                place.tail = item.element.tail
                holder.replace(item.element, place)  # type: ignore[union-attr]
        original = env.original
        return Document(
            version=env.version, verb=env.verb, noun=env.noun, messages=tuple(self.messages),
            faults=tuple(self.faults), bod_id=env.bod_id, logical_id=env.logical_id, reference_id=env.reference_id,
            confirmation=env.confirmation, created=env.created, responses=env.responses,
            original_bod_id=_inside(original, "BODID"),
            original_reference_id=_inside(original, "Sender", "ReferenceID"),
            original_logical_id=_inside(original, "Sender", "LogicalID"),
            skeleton=etree.tostring(self.root, encoding="unicode"), entries=tuple(self.entries),
        )  # fmt: skip

    def _item(self, item: Item) -> bool:
        """Take one item; False when it stays in the skeleton because it says no more than which thing is meant."""
        ident = word(item.element, "ID")
        object_ = "production_response" if item.object == SEGMENT else item.object
        action = action_for(self.envelope, ident)
        may_be_empty = self.envelope.verb in _WITHOUT_BODY or action is Action.DELETE
        bare = self._bare(object_, ident, action) if may_be_empty else None
        try:
            plain = compiled(reader(self.envelope.version, item.table)).read(item.element, self.zone)
            made, order = ([bare], ()) if bare and plain.keys() <= {"id"} else self._messages(item, plain, action)
        except (Misfit, ValidationError, KeyMissingError) as error:
            if bare is None:
                self._refuse(item, object_, ident, error)
                return True
            made, order = [bare], ()
        if made == [bare]:
            self.messages.append(made[0])
            return False
        self.entries.append(Entry(tuple(range(len(self.messages), len(self.messages) + len(made))), None, order))
        self.messages.extend(made)
        return True

    def _messages(self, item: Item, plain: Plain, action: Action | None) -> tuple[list[Message], tuple[str, ...]]:
        order: tuple[str, ...] = ()
        _inherit(plain, item, self.envelope.version)
        if item.object == SEGMENT:
            if plain.get("id", "") in self.responses:
                raise Misfit(f"id '{plain['id']}' is in this document twice: facts have ids of their own")
            facts, order = split(plain)
        else:
            facts = [(item.object, plain)]
        try:
            ident = word(item.element, "ID")
            made = [self._message(object_, body, ident, action) for object_, body in facts]
        except ValidationError:
            if item.object == SEGMENT:
                SegmentResponse.model_validate(plain)  # says where in the whole response, not in a line of it
            raise
        keys = [(message.object, message.key) for message in made]
        twice = next((key for at, (_, key) in enumerate(keys) if keys[at] in self.seen or keys[at] in keys[:at]), None)
        if twice is not None:
            raise Misfit(f"id '{twice}' is in this document twice: which one counts?")
        self.seen.update(keys)
        if item.object == SEGMENT:
            self.responses.add(plain["id"])
        return made, order

    def _message(self, object_: str, plain: Plain, ident: str, action: Action | None) -> Message:
        row = data_object(object_)
        body = row.body.model_validate(plain)
        return Message.of(
            object_, body, source=self.source, site=self.site, occurred=self._occurred(object_, body),
            recorded=self.recorded, verb=self.envelope.verb, posting=_posting(body),
            **self._reply(ident, action),
        )  # fmt: skip

    def _occurred(self, object_: str, body: Element) -> datetime:
        for name in OCCURRED.get(object_, ()):
            when = getattr(body, name)
            if when is not None:
                return when  # type: ignore[no-any-return]
        return self.envelope.created

    def _reply(self, ident: str, action: Action | None) -> dict[str, Any]:
        if not (self.envelope.verb.replies or self.envelope.responses):
            return {"action": action}
        original, response = self.envelope.original, response_for(self.envelope, ident)
        said = {
            "action": response.action if response else None,
            "reason": (response.reason_code or response.reason) if response else None,
            "document": response.document if response else None,
        }
        reference = _inside(original, "BODID") or _inside(original, "Sender", "ReferenceID")
        return said | {"correlation": reference, "to": _inside(original, "Sender", "LogicalID")}

    def _bare(self, object_: str, ident: str, action: Action | None) -> Message | None:
        """A get, cancel or delete that names a thing, or all (`*` or no ID), without saying more about it."""
        row = data_object(object_)
        every = ident in ("", "*")
        if len(row.key) > 1 or (every and self.envelope.verb is not Verb.GET):
            return None
        key = "" if every else ident
        return Message.of(
            object_, None, source=self.source, site=self.site, occurred=self.envelope.created, recorded=self.recorded,
            verb=self.envelope.verb, action=action, key=key, lanes=(bare_lane(row, key),),
        )  # fmt: skip

    def _refuse(self, item: Item, object_: str, ident: str, error: Exception) -> None:
        first, *others = _findings(item, ident, error, self.envelope.version)
        raw = etree.tostring(item.element, encoding="unicode", with_tail=False)
        self.entries.append(Entry((), len(self.faults)))
        self.faults.append(BadItem(object_, ident, first.place, first.reason, raw, tuple(others)))


def bare_lane(row: DataObject, key: str) -> str:
    """The lane of a message that has a key and no body."""
    own = next((name for name, path in row.lanes if path == "id"), row.name)
    return f"{own}:{key or '*'}"


def _findings(item: Item, ident: str, error: Exception, version: str) -> list[Finding]:
    name = local(item.element)
    around = "".join(f"{local(each)}[{word(each, 'ID')}]/" for each in item.around[:1] if name == "SegmentResponse")
    root = f"{around}{name}[{ident}]" if ident else f"{around}{name}"
    if isinstance(error, ValidationError):
        return findings_of(error, item.table, root, version)
    if isinstance(error, Misfit):
        return [Finding(f"{root}/{error.place}" if error.place else root, error.reason)]
    return [Finding(root, str(error))]


def _inherit(plain: Plain, item: Item, version: str) -> None:
    """What an item takes from the elements around it; a mark keeps it from being written where it wasn't.

    A segment response serves the request that the response around it names. In V4.01 its ID counts within that
    response only, so the response's goes before it; a lot is of the material that its MaterialInformation is about.
    """
    if item.object == SEGMENT:
        response = item.around[0]
        request = word(response, "OperationsRequestID") or word(response, "ProductionRequestID")
        if request and "operations_request_id" not in plain:
            plain["operations_request_id"] = request
            mark = {"place": "OperationsRequestID-", "xml": request}
            plain["foreign"] = (*plain.get("foreign", ()), mark)
        if version == V4:
            segment = plain.get("id") or str(response.index(item.element))
            plain["id"] = f"{word(response, 'ID') or request}/{segment}"
    elif version == V4 and item.object == "material_lot" and item.around:
        material = word(item.around[0], "ID")
        if material:
            plain.setdefault("material_definition_id", material)


def _posting(body: Element) -> date | None:
    when = getattr(body, "posting_date", None)
    return when.date() if isinstance(when, datetime) else when


def _inside(element: etree._Element | None, *names: str) -> str | None:
    for name in names[:-1]:
        if element is None:
            return None
        element = element.find(f"{{*}}{name}")
    return (word(element, names[-1]) or None) if element is not None else None
