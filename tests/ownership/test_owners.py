from __future__ import annotations

from datetime import UTC, datetime

from canonical.isa95.gap import Gap
from canonical.isa95.operations import EquipmentRequirement, OperationsRequest, SegmentRequirement
from canonical.isa95.resources import Equipment
from canonical.isa95.work import JobOrder
from mombus.config.model import Ownership
from mombus.ownership.owners import Owners

PLANT = (
    Equipment(id="LYON", equipment_child=(
        Equipment(id="LINE1", equipment_child=(Equipment(id="FILLER1"),)),
        Equipment(id="LINE2", equipment_child=(Equipment(id="FILLER2"),)),
    )),
)  # fmt: skip
OWNERS = Owners(
    (
        Ownership(object="production_order", owner="erp"),
        Ownership(object="job_order", owner="mes1", scope="LINE1"),
        Ownership(object="job_order", owner="mes2", scope="LINE2"),
        Ownership(object="equipment", owner="mes"),
        Ownership(object="equipment", owner="mes2", scope="LINE2"),
    ),
    PLANT,
)


def job(equipment: str | None) -> JobOrder:
    needs = () if equipment is None else (EquipmentRequirement(id="1", equipment_id=equipment),)
    return JobOrder(id="J1", equipment_requirement=needs)


def test_the_whole_site_has_one_owner():
    order = OperationsRequest(id="PO", segment_requirement=(SegmentRequirement(id="10"),))
    assert OWNERS.of("production_order", order, "mes") == "erp"
    assert OWNERS.of("production_order", None, "mes") == "erp"


def test_scopes_are_decided_by_the_equipment_in_the_body():
    assert OWNERS.of("job_order", job("FILLER1"), "x") == "mes1"
    assert OWNERS.of("job_order", job("LINE2"), "x") == "mes2"
    assert OWNERS.of("job_order", job(None), "x") is None


def test_an_object_of_places_is_itself_in_the_scope_and_the_rest_is_the_sites():
    assert OWNERS.of("equipment", Equipment(id="FILLER2"), "x") == "mes2"
    assert OWNERS.of("equipment", Equipment(id="FILLER1"), "x") == "mes"


def test_without_a_body_the_source_counts_when_it_owns_a_part():
    assert OWNERS.of("job_order", None, "mes1") == "mes1"
    assert OWNERS.of("equipment", None, "erp") == "mes"


def test_nobody_owns_what_is_not_declared():
    assert OWNERS.of("downtime", None, "mes") is None


def test_every_system_owns_its_own_gaps_only():
    gap = Gap(system="line1", what="x", since=datetime(2026, 3, 2, tzinfo=UTC), reason="lost")
    assert OWNERS.of("gap", gap, "line1") == "line1"
    assert OWNERS.of("gap", gap, "mes") is None


def test_what_a_system_owns():
    assert OWNERS.owned_by("mes2") == {"job_order", "equipment"}
