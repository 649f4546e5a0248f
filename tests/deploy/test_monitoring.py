"""Alert rules and dashboard ask for what the hub measures: its metrics, their labels, and values that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from mombus.bus.streams import MOM
from mombus.delivery.target import State
from mombus.hub.session import Condition
from mombus.journal.waiting import Wait
from mombus.web.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana" / "mombus.json").read_text(encoding="utf-8"))["panels"]
ASKED = [rule["expr"] for rule in ALERTS] + [t["expr"] for panel in PANELS for t in panel.get("targets", ())]
LABELS = {
    (f"{family.name}_total" if family.type == "counter" else family.name): set(labels)
    for family, labels in Metrics({}).described()
} | {"up": {"job"}, "process_resident_memory_bytes": set()}
VALUES = {
    "kind": {kind.value for kind in Wait}, "outcome": {"published"}, "job": {"mombus"}, "store": {f"stream {MOM}"},
    "state": {state.value for state in State} | {condition.value for condition in Condition},
}  # fmt: skip
"""What labels can be, as far as rules name it."""
SERIES = re.compile(r"((?:mombus|process)_\w+|\bup\b)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*[=!]~?\s*"([^"]*)"')


@pytest.mark.parametrize("expression", ASKED)
def test_what_is_asked_for_is_measured(expression: str) -> None:
    asked = SERIES.findall(expression)
    assert asked
    for name, matchers in asked:
        known = LABELS[name.removesuffix("_bucket")]
        for label, values in MATCHER.findall(matchers):
            assert label in known | {"instance"}, f"{name} has no label {label}"
            if label != "instance":
                assert set(values.split("|")) <= VALUES[label], (label, values)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "do"}


def test_panels_have_their_own_places() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in PANELS):
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
