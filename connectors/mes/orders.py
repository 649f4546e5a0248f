"""From canonical words to the MES's: pure functions, one per object the MES is told about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from canonical.isa95.operations import (
    InventoryMovement,
    MaterialActual,
    MaterialRequirement,
    OperationsRequest,
    SegmentRequirement,
)
from canonical.isa95.quality import QualityResult, ReleaseDecision
from canonical.message import Action, Message, Verb
from canonical.quantity import Quantity
from connectors.connector import MappingError

UNITS: Mapping[str, str] = MappingProxyType({"H87": "PC", "LTR": "L", "KGM": "KG", "GRM": "G", "MTR": "M"})
"""How the MES writes units; others stay as they are."""
DECISIONS: Mapping[str, str] = MappingProxyType({"UnRestricted": "FREE", "Restricted": "BLOCKED", "Closed": "CLOSED"})

Document = dict[str, Any]


def production_order(message: Message) -> Document:
    """An order: what to make, by when, where, of what. Raises MappingError when it doesn't say what to make."""
    if message.action is Action.DELETE:
        return {"orderNo": message.key, "status": "CANCELLED"}
    order = message.body
    assert isinstance(order, OperationsRequest)  # noqa: S101 - the catalogue's body
    steps = order.segment_requirement
    made = [material for step in steps for material in step.material_requirement if _is_made(material)]
    if not made or made[0].quantity is None:
        raise MappingError(f"order {order.id} names no produced material with a quantity: the MES can't plan it")
    return {
        "orderNo": order.id,
        "status": "CANCELLED" if order.request_state in {"Cancelled", "Aborted"} else "RELEASED",
        "article": _article(made[0]),
        **_amount(made[0].quantity),
        "step": steps[0].id,
        "workCenter": _work_center(steps),
        "startAt": order.start_time and order.start_time.isoformat(),
        "dueAt": order.end_time and order.end_time.isoformat(),
        "parts": [
            {"article": _article(material), **_amount(material.quantity)}
            for step in steps
            for material in step.material_requirement
            if not _is_made(material) and material.quantity is not None
        ],
    }


def _is_made(material: MaterialRequirement) -> bool:
    return material.material_use in {"Produced", "Material Produced"}


def _article(material: MaterialRequirement | MaterialActual) -> str:
    if material.material_definition_id is None:
        raise MappingError(f"material {material.id} has no material_definition_id: the MES knows articles only")
    return material.material_definition_id


def _amount(quantity: Quantity | None) -> Document:
    if quantity is None:
        raise MappingError("a material has no quantity")
    return {"qty": f"{quantity.value:f}", "uom": UNITS.get(quantity.unit_of_measure, quantity.unit_of_measure)}


def _work_center(steps: Iterable[SegmentRequirement]) -> str | None:
    named = (unit.equipment_id for step in steps for unit in step.equipment_requirement)
    return next((equipment for equipment in named if equipment), None)


def inventory_movement(message: Message) -> Document:
    """A stock movement with its items; `use` and `to` say which way the goods went."""
    movement = message.body
    assert isinstance(movement, InventoryMovement)  # noqa: S101 - the catalogue's body
    return {
        "movementNo": movement.id,
        "orderNo": movement.operations_request_id or _order_of_segments(movement),
        "text": movement.description,
        "items": [
            {
                "article": _article(actual), **_amount(actual.quantity), "lot": actual.material_lot_id,
                "use": actual.material_use, "to": actual.storage_location,
            }
            for response in movement.segment_response
            for actual in response.material_actual
        ],
    }  # fmt: skip


def _order_of_segments(movement: InventoryMovement) -> str | None:
    orders = (response.operations_request_id for response in movement.segment_response)
    return next((order for order in orders if order), None)


def quality_result(message: Message) -> Document:
    """A test result: characteristic, value, verdict."""
    result = message.body
    assert isinstance(result, QualityResult)  # noqa: S101 - the catalogue's body
    measured = result.property_measurement[0] if result.property_measurement else None
    value = measured.value if measured else None
    return {
        "resultNo": result.id,
        "orderNo": result.production_order_id,
        "lot": result.testable_object_id,
        "characteristic": (measured.testable_object_property_id or measured.id) if measured else None,
        "value": value.value if value else None,
        "uom": value.unit_of_measure if value else None,
        "verdict": result.evaluated_criterion_result,
    }


def release_decision(message: Message) -> Document:
    """The quality owner's word on a lot."""
    decision = message.body
    assert isinstance(decision, ReleaseDecision)  # noqa: S101 - the catalogue's body
    return {
        "decisionNo": decision.id, "orderNo": decision.production_order_id, "lot": decision.material_lot_id,
        "decision": DECISIONS[decision.disposition], "at": decision.decided.isoformat(),
    }  # fmt: skip


def reply(message: Message) -> Document:
    """What became of a request of the MES: `requestNo` is its own number, `docNo` the other system's."""
    state = message.body if message.content else None
    return {
        "requestNo": message.key,
        "status": "REJECTED" if message.action is Action.REJECTED else "ACCEPTED",
        "docNo": message.document,
        "reason": message.reason,
        "by": message.source,
        "state": state.request_state if isinstance(state, OperationsRequest) else None,
    }


WRITERS: Mapping[str, Callable[[Message], Document]] = MappingProxyType({
    "production_order": production_order,
    "inventory_movement": inventory_movement,
    "quality_result": quality_result,
    "release_decision": release_decision,
})  # fmt: skip
"""What the MES is told, by object."""
REQUESTED = ("maintenance_request", "inspection_order")
"""What the MES asks others for; it takes their replies."""
REPLIES = (Verb.ACKNOWLEDGE, Verb.RESPOND, Verb.CONFIRM, Verb.SHOW)


def document(message: Message) -> Document:
    """What the MES is told by a message, without what is empty. Raises MappingError."""
    write = reply if message.object in REQUESTED and message.verb in REPLIES else WRITERS.get(message.object)
    if write is None:
        raise MappingError(f"the MES has no word for {message.object} {message.verb}")
    return {name: value for name, value in write(message).items() if value is not None}
