"""What went on at each piece of equipment: its stops, and the work that job and segment responses tell of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from canonical.isa95.operations import SegmentResponse
from canonical.isa95.work import JobResponse
from mombus.hub.floor.downtimes import by_reason, lies_in, stood_s

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from canonical.element import Element
    from mombus.hub.floor.downtimes import Stop
    from mombus.hub.floor.reading import Fact

WORK = ("job_response", "production_response")
NOWHERE = "no equipment named"


def lanes(
    found: Sequence[Stop], work: Iterable[Fact], *, since: datetime, until: datetime, now: datetime,
    equipment: Collection[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """One lane for each piece of equipment, by name; for all if none is named."""
    by: dict[str, list[dict[str, Any]]] = {}
    stopped = stood_s(found, since, until, now)
    for stop in found:
        by.setdefault(stop.body.equipment_id, []).append(_stop(stop))
    for fact in work:
        start, end = times(fact.message.body)
        if start is not None and lies_in(start, end, since, until, now):
            for one in where(fact.message.body):
                if not equipment or one in equipment:
                    by.setdefault(one, []).append(_work(fact, start, end))
    return [
        {
            "equipment": one, "stopped_s": stopped.get(one, 0.0),
            "stretches": sorted(by[one], key=_begins),
        }
        for one in sorted(by)
    ]  # fmt: skip


def _begins(stretch: Mapping[str, Any]) -> tuple[datetime, int]:
    """In time, whatever the offsets that it is told with."""
    return datetime.fromisoformat(stretch["start"]), stretch["seq"]


def _stop(stop: Stop) -> dict[str, Any]:
    body = stop.body
    return {
        "what": "stop", "name": by_reason(stop), "start": body.start_time.isoformat(), "open": stop.open,
        "end": body.end_time.isoformat() if body.end_time else None, "message_id": stop.message_id, "seq": stop.seq,
        "kind": stop.kind.value,
    }  # fmt: skip


def _work(fact: Fact, start: datetime, end: datetime | None) -> dict[str, Any]:
    return {
        "what": "work", "name": _name(fact.message.body), "start": start.isoformat(), "open": end is None,
        "end": end.isoformat() if end else None, "message_id": fact.message.id, "seq": fact.seq,
        "kind": None,
    }  # fmt: skip


def times(body: Element) -> tuple[datetime | None, datetime | None]:
    """When work began and ended, as far as it was said."""
    if isinstance(body, JobResponse):
        return body.start_time, body.end_time
    if isinstance(body, SegmentResponse):
        return body.actual_start_time, body.actual_end_time
    return None, None


def _name(body: Element) -> str:
    if isinstance(body, JobResponse):
        return body.production_order_id or body.job_order_id or body.id
    return str(getattr(body, "operations_request_id", None) or getattr(body, "id", ""))


def where(body: Element) -> Iterator[str]:
    """The equipment that did it; where none is named, the place it is said of."""
    named = [one.equipment_id for one in getattr(body, "equipment_actual", ()) if one.equipment_id]
    scope = getattr(body, "hierarchy_scope", None)
    yield from dict.fromkeys(named) if named else [scope.equipment_id if scope is not None else NOWHERE]
