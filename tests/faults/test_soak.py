"""A short soak; `make soak MINUTES=…` runs it as long as you like."""

from __future__ import annotations

import os

import pytest
from proof import Part, Proof
from soak import JUDGED, REMEMBERED_KB, UNEVEN_MB, Report, Sample, soak

SAID = os.environ.get("MOMBUS_SOAK_MINUTES")
BRIEF, FULL = 0.1, 2.0
"""Minutes of each way in the suite and for the page, unless MOMBUS_SOAK_MINUTES says otherwise."""
WAYS = {
    "whole": "one process with its broker",
    "apart": "connectors and delivery in processes of their own",
    "several": "two hubs on one PostgreSQL, an MES behind MQTT, a machine behind OPC UA",
}


@pytest.mark.timeout(float(SAID or FULL) * 60 + 300)
@pytest.mark.parametrize("how", WAYS)
async def test_what_is_acknowledged_takes_effect_once_whatever_happens(how: str, proof: Proof) -> None:
    if how == "several" and not (proof.full or SAID):
        pytest.skip("takes long: with --proof, or with MOMBUS_SOAK_MINUTES")
    minutes = float(SAID or (FULL if proof.full else BRIEF))
    seed = int(os.environ.get("MOMBUS_SEED", "20260302"))
    report = await soak(minutes, seed, how)
    assert report.wrong == [], report
    assert sum(report.events.values()) >= 3, "too little happened to prove anything"
    struck = ", ".join(f"{name} {times}x" for name, times in sorted(report.events.items()))
    proof(
        Part.SOAK, fault=f"{sum(report.events.values())} faults at random, seed {seed}: {struck}",
        load=f"{report.sent} facts in {minutes:g} minutes; {WAYS[how]}",
        expected=f"sent = effects, in order per lane, nothing twice{', memory flat' if report.memory_mb else ''}",
        seen="; ".join([
            *(f"{name}: {count}" for name, count in report.counts.items()),
            *(f"memory in MB, {when}: {mb}" for when, mb in report.memory_mb.items()),
        ]),
    )  # fmt: skip


@pytest.mark.parametrize(("kb", "wrong"), [(0.0, 0), (REMEMBERED_KB, 0), (20.0, 1)])
def test_memory_may_grow_by_what_is_remembered_of_each_message_and_no_more(kb: float, wrong: int) -> None:
    report = Report(seed=1, minutes=4, how="whole")
    report.check_memory([
        Sample(second, 150 + UNEVEN_MB * (second % 2) / 4 + kb * 45 * second / 1024, 45 * second)
        for second in range(4 * JUDGED)
    ])  # fmt: skip
    assert len(report.wrong) == wrong, report
