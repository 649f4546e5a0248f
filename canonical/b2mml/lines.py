"""One SegmentResponse is several facts: the response, a consumption per consumed material, labour per person.

Reading splits it; writing merges what has the same response id. A response that is one fact of another kind says so
in its segment data `DataObject`: lot_transformation or defect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from canonical.isa95.operations import CONSUMED, SegmentData, SegmentResponse
from canonical.quantity import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canonical.message import Message

MARKER = "DataObject"
MARKED = frozenset({"lot_transformation", "defect"})
CONTEXT = (
    "id", "published_date", "posting_date", "actual_start_time", "actual_end_time", "hierarchy_scope",
    "operations_type", "process_segment_id", "operations_request_id", "segment_requirement_id",
    "operations_definition_id", "operations_segment_id", "job_response_id", "segment_data", "equipment_actual",
)  # fmt: skip
"""What every line repeats of its response."""

_CONTEXT = frozenset(CONTEXT)
Plain = dict[str, Any]


def split(response: Plain) -> tuple[list[tuple[str, Plain]], tuple[str, ...]]:
    """The facts of a response, and the ids of its material actuals when they stand in another order than merged."""
    marked = _marked(response)
    if marked:
        return [(marked, response)], ()
    actuals, people = response.get("material_actual", ()), response.get("personnel_actual", ())
    consumed = tuple(actual for actual in actuals if actual.get("material_use") in CONSUMED)
    if not consumed and not people:
        return [("production_response", response)], ()
    rest = tuple(actual for actual in actuals if actual.get("material_use") not in CONSUMED)
    facts = _lines(response, consumed, people)
    main = {name: value for name, value in response.items() if name not in ("material_actual", "personnel_actual")}
    if rest:
        main["material_actual"] = rest
    if main.keys() - _CONTEXT - {"foreign"}:
        facts.insert(0, ("production_response", main))
    elif "foreign" in response:
        facts[0][1]["foreign"] = response["foreign"]
    order = tuple(str(actual.get("id")) for actual in actuals)
    merged = tuple(str(actual.get("id")) for actual in (*rest, *consumed))
    return facts, () if order == merged else order


def _lines(response: Plain, consumed: Sequence[Plain], people: Sequence[Plain]) -> list[tuple[str, Plain]]:
    context = {name: response[name] for name in CONTEXT if name in response}
    lines = [("material_consumption", {**context, "material_actual": (actual,)}) for actual in consumed]
    return lines + [("labour", {**context, "personnel_actual": (person,)}) for person in people]


def _marked(response: Plain) -> str:
    for item in response.get("segment_data", ()):
        kind = item.get("value", {}).get("value")
        if item.get("id") == MARKER and kind in MARKED:
            response["segment_data"] = tuple(other for other in response["segment_data"] if other is not item)
            return str(kind)
    return ""


def merge(messages: Sequence[Message], order: Sequence[str] = ()) -> SegmentResponse:
    """One response of messages that share its id; `order` is that of its material actuals, as `split` gave it."""
    first = messages[0]
    body = _body(first)
    if first.object in MARKED:
        return _with_marker(body, first.object)
    if len(messages) == 1:
        return body
    ranked = sorted(messages, key=lambda message: message.object != "production_response")
    body, bodies = _body(ranked[0]), [_body(message) for message in ranked]
    actuals = [actual for one in bodies for actual in one.material_actual]
    if order:
        place = {ident: at for at, ident in enumerate(order)}
        actuals.sort(key=lambda actual: place.get(actual.id, len(place)))
    data = {item.id: item for one in bodies for item in one.segment_data}
    return body.model_copy(update={
        "material_actual": tuple(actuals), "segment_data": tuple(data.values()),
        "personnel_actual": tuple(person for one in bodies for person in one.personnel_actual),
    })  # fmt: skip


def _with_marker(body: SegmentResponse, object_: str) -> SegmentResponse:
    marker = SegmentData(id=MARKER, value=Value(value=object_))
    return body.model_copy(update={"segment_data": (*body.segment_data, marker)})


def _body(message: Message) -> SegmentResponse:
    body = message.body
    if not isinstance(body, SegmentResponse):
        raise TypeError(f"{message.object} {message.key} has no segment response as body")
    return body
