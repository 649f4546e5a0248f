"""Messages of the example plant, as the hub hands them to the REST systems: ids already translated."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from canonical.message import Message, Verb
from canonical.objects import data_object
from connectors.connector import Surroundings

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def surroundings(system: str) -> Surroundings:
    return Surroundings(system, "lyon", PARIS)


def message(object: str, body: dict[str, object], verb: Verb = Verb.SYNC, **given: object) -> Message:
    """A message whose body is read from JSON, as it comes off the bus."""
    import json  # noqa: PLC0415

    canonical = data_object(object).body.model_validate_json(json.dumps(body))
    given = {"source": "mes", "site": "lyon", "occurred": NOW, "recorded": NOW, "verb": verb} | given
    return Message.of(object, canonical, **given)


def quantity(value: str, unit: str = "H87") -> dict[str, str]:
    return {"value": value, "unit_of_measure": unit}


def production_order(id: str = "PO-4711", **changes: object) -> Message:
    """240 bottles, with what they take; materials by the warehouse's articles."""

    def material(number: int, article: str, use: str, amount: dict[str, str]) -> dict[str, object]:
        return {"id": str(number), "material_definition_id": article, "material_use": use, "quantity": amount}

    body = {
        "id": id,
        "operations_type": "Production",
        "request_state": "Released",
        "segment_requirement": [
            {
                "id": "0010",
                "equipment_requirement": [{"id": "1", "equipment_id": "LINE1"}],
                "material_requirement": [
                    material(1, "30005", "Produced", quantity("240")),
                    material(2, "30001", "Consumed", quantity("240")),
                    material(3, "30002", "Consumed", quantity("240")),
                    material(4, "30003", "Consumed", quantity("240")),
                    material(5, "30004", "Consumed", quantity("20")),
                    material(6, "30006", "Consumed", quantity("120.0", "LTR")),
                ],
            }
        ],
    }
    return message("production_order", body | changes, source="erp", revision=1)


def production_response(id: str, good: str, scrap: str = "2", lot: str = "PO-4711-L1") -> Message:
    body = {
        "id": id,
        "operations_request_id": lot.removesuffix("-L1"),
        "segment_state": "Completed",
        "material_actual": [
            {
                "id": "2",
                "material_definition_id": "30005",
                "material_use": "Produced",
                "quantity": quantity(scrap),
                "material_actual_property": [{"id": "disposition", "value": {"value": "scrap"}}],
            },
            {
                "id": "1",
                "material_definition_id": "30005",
                "material_lot_id": lot,
                "material_use": "Produced",
                "quantity": quantity(good),
            },
        ],
    }
    return message("production_response", body)


def consumption(id: str, article: str, amount: str, unit: str = "H87") -> Message:
    actual = {
        "id": "1",
        "material_definition_id": article,
        "material_use": "Consumed",
        "quantity": quantity(amount, unit),
    }
    return message("material_consumption", {"id": id, "operations_request_id": "PO-4711", "material_actual": [actual]})


def release(id: str = "UD-000001", disposition: str = "UnRestricted", lot: str = "PO-4711-L1") -> Message:
    body = {
        "id": id,
        "material_lot_id": lot,
        "material_definition_id": "30005",
        "production_order_id": "PO-4711",
        "disposition": disposition,
        "decided": "2026-03-02T10:00:00+01:00",
    }
    return message("release_decision", body, source="qms")


def inspection_order(id: str = "INS-PO-4711", lot: str | None = "PO-4711-L1") -> Message:
    material = {"id": "1", "material_definition_id": "FG-1000"} | ({"material_lot_id": lot} if lot else {})
    body = {
        "id": id,
        "operations_type": "Quality",
        "request_state": "Released",
        "production_order_id": "PO-4711",
        "segment_requirement": [{"id": "1", "operations_type": "Quality", "material_requirement": [material]}],
    }
    return message("inspection_order", body, Verb.PROCESS)


def maintenance_request(id: str = "MR-PO-4711-1", asset: str = "103") -> Message:
    body = {
        "id": id,
        "description": "CAPPER1 jams",
        "operations_type": "Maintenance",
        "request_state": "Forecast",
        "priority": "1",
        "production_order_id": "PO-4711",
        "segment_requirement": [{"id": "1", "equipment_requirement": [{"id": "1", "equipment_id": asset}]}],
    }
    return message("maintenance_request", body, Verb.PROCESS)


def downtime(id: str = "DT-1", asset: str = "103", **changes: object) -> Message:
    body = {
        "id": id,
        "equipment_id": asset,
        "start_time": "2026-03-02T10:00:00+01:00",
        "end_time": "2026-03-02T09:02:00.5Z",
        "state": "reasoned",
        "reason": {"id": "CAP-JAM", "category": "mechanical"},
    }
    return message("downtime", body | changes)
