from __future__ import annotations

from canonical.isa95.operations import (
    EquipmentRequirement,
    MaterialRequirement,
    OperationsRequest,
    SegmentRequirement,
)
from canonical.isa95.resources import Equipment, MaterialDefinition
from canonical.references import references, translated

ORDER = OperationsRequest(
    id="PO-1",
    production_order_id="PO-0",
    segment_requirement=(
        SegmentRequirement(
            id="10",
            equipment_requirement=(EquipmentRequirement(id="1", equipment_id="LINE1"),),
            material_requirement=(
                MaterialRequirement(id="1", material_definition_id="FG-1000"),
                MaterialRequirement(
                    id="2",
                    material_definition_id="CASE-12",
                    assembly_requirement=(MaterialRequirement(id="3", material_lot_id="L-1"),),
                ),
            ),
        ),
    ),
)


def test_every_marked_field_is_found_with_its_place():
    step = "segment_requirement.0"
    assert sorted(references(ORDER)) == sorted(
        [
            ("production_order", "PO-0", "production_order_id"),
            ("equipment", "LINE1", f"{step}.equipment_requirement.0.equipment_id"),
            ("material", "FG-1000", f"{step}.material_requirement.0.material_definition_id"),
            ("material", "CASE-12", f"{step}.material_requirement.1.material_definition_id"),
            ("material_lot", "L-1", f"{step}.material_requirement.1.assembly_requirement.0.material_lot_id"),
        ]
    )


def test_translation_changes_references_and_nothing_else():
    there = translated(ORDER, lambda kind, name, _path: f"{kind}/{name}")
    assert [r.id for r in references(there)] == [f"{r.object}/{r.id}" for r in references(ORDER)]
    assert there.id == "PO-1"
    assert translated(there, lambda _kind, name, _path: name.partition("/")[2]) == ORDER


def test_nothing_to_change_gives_the_same_body():
    assert translated(ORDER, lambda _kind, name, _path: name) is ORDER


def test_own_id_is_translated_in_children_of_the_same_type():
    line = Equipment(id="1", equipment_child=(Equipment(id="2"),))
    named = translated(line, lambda _kind, name, _path: f"E{name}", own="equipment")
    assert (named.id, named.equipment_child[0].id) == ("E1", "E2")
    assert translated(MaterialDefinition(id="x"), lambda _kind, name, _path: name.upper()).id == "x"
