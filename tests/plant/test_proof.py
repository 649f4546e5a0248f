"""The proof notices every number that is off, and nothing when all agree."""

from copy import deepcopy
from typing import Any

import pytest

from plant.proof import differences

AGREED: dict[str, Any] = {
    "order": "PO-1",
    "line1": {
        "state": "Completed", "good": 240, "scrap": 6, "jobs": {"PO-1": "Completed"},
        "counters": {
            "FILLER1": {"processed": 246, "defective": 0}, "CAPPER1": {"processed": 246, "defective": 3},
            "LABELER1": {"processed": 243, "defective": 3}, "PACKER1": {"processed": 240, "defective": 0},
        },
    },
    "erp": {
        "good": "240", "scrap": "6", "receipts": "240", "duplicates": 0,
        "consumption": {"BOTTLE-05": "246", "CAP-28": "246", "LABEL-A": "243", "WATER": "123", "CASE-12": "20"},
    },
    "erp_consumption": {"BOTTLE-05": "246", "CAP-28": "246", "LABEL-A": "243", "WATER": "123", "CASE-12": "20"},
    "mes": {
        "good": 240, "scrap": 6, "decision": "FREE", "results": {"a": {}, "b": {}, "c": {}},
        "used": {"BOTTLE-05": "246", "CAP-28": "246", "LABEL-A": "243", "WATER": "123.0", "CASE-12": "20"},
        "stops": [{"no": "PO-1-S1"}, {"no": "PO-1-S2"}, {"no": "PO-1-S3"}],
        "requests": {"QI-PO-1-L1": {"docNo": "QL-000001"}, "MR-PO-1": {"docNo": "5001"}},
    },
    "qms": {
        "results": {"a": "1 mL", "b": "2 N.m", "c": "3 mm"}, "decisions": {"PO-1-L1": "released"},
        "samples": {"QL-000001": "QI-PO-1-L1"},
    },
    "cmms": {"requests": {"5001": "MR-PO-1"}, "downtimes": ["PO-1-S1", "PO-1-S2", "PO-1-S3"]},
    "wms": {
        "received": {"30005": "240"},
        "issued": {"30001": "246", "30002": "246", "30003": "243", "30004": "20"},
    },
}  # fmt: skip


def test_agreement_is_silent() -> None:
    assert differences(AGREED) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("line1/good", 239), ("line1/scrap", 5), ("line1/counters/CAPPER1/processed", 247), ("erp/good", "239"),
        ("erp/scrap", "5"), ("erp/receipts", "0"), ("erp/duplicates", 1), ("erp/consumption/WATER", "122.5"),
        ("erp_consumption/LABEL-A", "242"), ("mes/good", 120), ("mes/scrap", 0), ("mes/used/CAP-28", "245"),
        ("mes/decision", None), ("mes/results", {}), ("mes/stops", []), ("mes/requests", {}), ("qms/results", {}),
        ("qms/decisions", {}), ("qms/samples", {"QL-1": "", "QL-2": ""}), ("cmms/requests", {}),
        ("cmms/requests", {"5001": "", "5002": ""}), ("cmms/downtimes", ["PO-1-S1"]), ("wms/received", {}),
        ("wms/issued", {"30001": "246"}), ("line1/state", "Running"), ("mes", {}),
    ],
)  # fmt: skip
def test_every_difference_is_told(path: str, value: object) -> None:
    found = deepcopy(AGREED)
    *steps, last = path.split("/")
    place = found
    for step in steps:
        place = place[step]
    place[last] = value
    assert differences(found)
