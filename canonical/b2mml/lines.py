"""One SegmentResponse is several facts: the response, a consumption per consumed material, labour per person.

Reading splits it; writing merges what has the same response id. A response that is one fact of another kind says so
in its segment data `DataObject`: lot_transformation or defect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from canonical.isa95.operations import CONSUMED, SegmentData, SegmentResponse
from canonical.quantity import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    """The facts of a response and of the responses within it; the order of material actuals where merging would differ.

    What stays of the response comes first, unless it is nothing but the context that its lines repeat.
    """
    marked = _marked(response)
    if marked:
        return [(marked, response)], ()
    rest, lines, order = _parted(response, None)
    if not lines:
        return [("production_response", response)], ()
    if rest.keys() - _CONTEXT - {"foreign"}:
        return [("production_response", rest), *lines], tuple(order)
    if "foreign" in response:
        lines[0][1]["foreign"] = response["foreign"]
    return lines, tuple(order)


def _parted(response: Plain, request: str | None) -> tuple[Plain, list[tuple[str, Plain]], list[str]]:
    """A response without its lines, the lines, and the order of actuals (`response id/actual id`)."""
    actuals, people = response.get("material_actual", ()), response.get("personnel_actual", ())
    consumed = tuple(actual for actual in actuals if actual.get("material_use") in CONSUMED)
    others = tuple(actual for actual in actuals if actual.get("material_use") not in CONSUMED)
    rest = {name: value for name, value in response.items() if name not in ("material_actual", "personnel_actual")}
    if others:
        rest["material_actual"] = others
    request = response.get("operations_request_id", request)
    lines = _lines(response, request, consumed, people)
    moved = [*others, *consumed] != list(actuals)
    order = [f"{response.get('id')}/{actual.get('id')}" for actual in actuals] if moved else []
    if "segment_response_child" in response:
        parts = [_parted(child, request) for child in response["segment_response_child"]]
        rest["segment_response_child"] = tuple(child for child, _, _ in parts)
        lines += [line for _, its, _ in parts for line in its]
        order += [place for _, _, its in parts for place in its]
    return rest, lines, order


def _lines(
    response: Plain, request: str | None, consumed: Sequence[Plain], people: Sequence[Plain]
) -> list[tuple[str, Plain]]:
    context = {name: response[name] for name in CONTEXT if name in response}
    if request is not None:
        context["operations_request_id"] = request
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
    """One response of the messages of one item; `order` is that of its material actuals, as `split` gave it."""
    first = messages[0]
    if first.object in MARKED:
        return _with_marker(_body(first), first.object)
    ranked = sorted(messages, key=lambda message: message.object != "production_response")
    top, *lines = [_body(message) for message in ranked]
    return _joined(top, lines, {place: at for at, place in enumerate(order)}) if lines else top


def _joined(top: SegmentResponse, lines: Sequence[SegmentResponse], places: Mapping[str, int]) -> SegmentResponse:
    own = [line for line in lines if line.id == top.id]
    actuals = [actual for one in (top, *own) for actual in one.material_actual]
    actuals.sort(key=lambda actual: places.get(f"{top.id}/{actual.id}", len(places)))
    data = {item.id: item for one in (top, *own) for item in one.segment_data}
    return top.model_copy(update={
        "material_actual": tuple(actuals), "segment_data": tuple(data.values()),
        "personnel_actual": tuple(person for one in (top, *own) for person in one.personnel_actual),
        "segment_response_child": tuple(_joined(child, lines, places) for child in top.segment_response_child),
    })  # fmt: skip


def _with_marker(body: SegmentResponse, object_: str) -> SegmentResponse:
    marker = SegmentData(id=MARKER, value=Value(value=object_))
    return body.model_copy(update={"segment_data": (*body.segment_data, marker)})


def _body(message: Message) -> SegmentResponse:
    body = message.body
    if not isinstance(body, SegmentResponse):
        raise TypeError(f"{message.object} {message.key} has no segment response as body")
    return body
