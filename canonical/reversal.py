"""Reversals: a fact that undoes another one names it in its segment data, which is how it travels in B2MML as well.

ISA-95 has no word for a reversal, so it is a SegmentData of the id `Reverses` whose value is the id of the segment
response, or inventory movement, that it undoes. Its actuals are those of the original, with their sign: what it does is
told by the reversal, not by a negative quantity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.isa95.operations import OperationsResponse, SegmentData, SegmentResponse
from canonical.objects import Kind, key_part
from canonical.quantity import Value

if TYPE_CHECKING:
    from canonical.element import Element
    from canonical.objects import DataObject

REVERSES = "Reverses"
"""Id of the segment data with the original's id."""


def reversed_key(row: DataObject, body: Element) -> str | None:
    """The key of what `body` reverses; None if it reverses nothing."""
    segment = _segment(body)
    if segment is None or row.kind is not Kind.FACT:
        return None
    original = next((data.value for data in segment.segment_data if data.id == REVERSES), None)
    if original is None or not isinstance(original.value, str) or not original.value:
        return None
    _, *rest = row.key_of(body).split("/")
    return "/".join((key_part(original.value), *rest))


def noted(body: Element, name: str, text: str) -> Element:
    """A body that can be a reversal with one more segment data. Raises ValueError for another body."""
    data = SegmentData(id=name, value=Value(value=text))
    segment = _segment(body)
    if segment is None:
        raise ValueError(f"a {type(body).__name__} has no segment data")
    fresh = segment.model_copy(update={"segment_data": (*segment.segment_data, data)})
    if segment is body:
        return fresh
    return body.model_copy(update={"segment_response": (fresh, *body.segment_response[1:])})  # type: ignore[attr-defined]


def _segment(body: Element) -> SegmentResponse | None:
    """Where its segment data is."""
    if isinstance(body, SegmentResponse):
        return body
    return body.segment_response[0] if isinstance(body, OperationsResponse) else None
