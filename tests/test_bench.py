"""The bench runs and says what it should; how fast things are is no matter of tests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def bench(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_figures_stand_beside_the_bare_library() -> None:
    ended = bench("b2mml", "--quick", "--json")
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)["figures"]
    nouns = ("OperationsSchedule", "OperationsPerformance")
    assert [each["name"] for each in figures] == [
        f"B2MML {what}, {noun}" for noun in nouns for what in ("read", "write")
    ]
    for figure in figures:
        assert figure["unit"] == "ms"
        assert figure["value"] > figure["bare"] > 0
        assert figure["ratio"] == pytest.approx(figure["value"] / figure["bare"])
        assert figure["aim"] == {"of": "ratio", "bound": "most", "limit": 4}
        assert figure["met"] is (figure["ratio"] <= 4)
        assert "1.00 MB" in figure["note"]


def test_handovers_are_counted_beside_bare_fetches_of_the_same_run() -> None:
    ended = bench("handovers", "--quick", "--json")
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)["figures"]
    assert [each["name"] for each in figures] == [
        f"durable handovers, {targets}" for targets in (
            "1 idempotent target", "1 findable target", "3 idempotent targets", "3 findable targets",
            "3 findable and noting targets",
        )
    ]  # fmt: skip
    for figure in figures:
        assert figure["ratio"] == pytest.approx(figure["value"] / figure["bare"])
        assert "by the clock" in figure["note"]


def test_the_help_says_what_each_measures() -> None:
    ended = bench("--help")
    assert ended.returncode == 0, ended.stderr
    assert "handovers   Durable handovers per second, journal on, against bare nats-py" in ended.stdout
    assert "only when named, because they take many minutes:\n  many        A million keys" in ended.stdout


def test_an_unknown_bench_is_named() -> None:
    ended = bench("handover")
    assert ended.returncode == 2
    assert "there is no bench 'handover'; there are b2mml, handovers" in ended.stderr


def test_the_table_says_what_is_met() -> None:
    sys.path.insert(0, str(ROOT))
    try:
        from bench.figure import Aim, Figure, table  # noqa: PLC0415 - the bench is not installed
    finally:
        sys.path.remove(str(ROOT))
    lines = table([
        Figure(name="reads", value=60, unit="/s", bare=100, aim=Aim("ratio", "least", 0.5), note="of 3"),
        Figure(name="start", value=2.5, unit="s", aim=Aim("value", "most", 2)),
        Figure(name="memory", value=12345, unit="MiB"),
    ]).splitlines()  # fmt: skip
    assert lines[2].split() == ["reads", "60", "/s", "100", "/s", "0.60", "≥", "0.5", "bare", "yes"]
    assert lines[3].split() == ["start", "2.5", "s", "≤", "2", "s", "no"]
    assert lines[4].split() == ["memory", "12,345", "MiB"]
    assert lines[-1] == "reads: of 3"
