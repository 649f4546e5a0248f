"""The flow map: every flow has a place, nothing covers anything, and few lines cross."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

from mombus.web.drawing.flow_map import WIDTH, arranged, crossings, flow_map, thickness


def row(source: str, name: str, target: str | None, **more: Any) -> dict[str, Any]:
    return {
        "source": source, "object": name, "target": target, "per_minute": 0, "total": 0, "waiting": 0, "state": "",
    } | more  # fmt: skip


def large(systems: int = 30, routes: int = 100) -> list[dict[str, Any]]:
    """A plant of many systems that talk as they happen to."""
    chance = random.Random(4)  # noqa: S311 - the same each time
    flows: dict[tuple[str, str, str | None], dict[str, Any]] = {}
    while len(flows) < routes:
        source, target = chance.sample(range(systems), 2)
        flow = row(f"system{source}", f"object{source}_{chance.randrange(3)}", f"system{target}")
        flows[flow["source"], flow["object"], flow["target"]] = flow
    return list(flows.values())


def apart(boxes: Any) -> bool:
    """No two of them have a common point."""
    return all(
        a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
        for a, b in combinations(boxes, 2)
    )


def test_nothing_covers_anything_however_large_the_plant_is() -> None:
    found = flow_map(large())
    assert len(found.ports) == 100
    assert apart([*found.senders, *found.objects, *found.targets])
    assert len({(port.x, port.y) for port in found.ports}) == 100
    assert all(box.x >= 0 and box.x + box.width <= WIDTH for box in (*found.senders, *found.objects, *found.targets))
    assert all(box.y + box.height <= found.height for box in (*found.senders, *found.objects, *found.targets))


def test_each_flow_arrives_inside_of_its_system() -> None:
    found = flow_map(large())
    boxes = {box.name: box for box in found.targets}
    for port in found.ports:
        box = boxes[port.row["target"]]
        assert box.y < port.y < box.y + box.height


def test_every_flow_has_its_line() -> None:
    found = flow_map(large())
    arriving = [line for line in found.lines if line.look != "said"]
    assert len(arriving) == len(found.ports)
    assert all(line.path.endswith(f" {port.x:g} {port.y:g}") for line, port in zip(arriving, found.ports, strict=True))


def test_the_order_has_fewer_crossings_than_the_configuration_has() -> None:
    flows = tuple((one["source"], one["object"], one["target"]) for one in large())
    said = sorted(dict.fromkeys(flow[:2] for flow in flows))
    targets = sorted({flow[2] for flow in flows})
    assert crossings(flows, *arranged(flows)) < 0.8 * crossings(flows, said, targets)


def test_what_can_be_drawn_without_a_crossing_is() -> None:
    flows = (("a", "x", "d"), ("b", "y", "c"), ("b", "z", "c"))
    assert crossings(flows, *arranged(flows)) == 0


def test_what_one_system_says_stays_together() -> None:
    said, _ = arranged(tuple((one["source"], one["object"], one["target"]) for one in large()))
    sources = [source for source, _ in said]
    assert [one for i, one in enumerate(sources) if i == 0 or sources[i - 1] != one] == list(dict.fromkeys(sources))


def test_what_only_the_bus_gets_has_no_line_to_a_system() -> None:
    found = flow_map([row("line1", "count", None, per_minute=60, total=60)])
    assert [one.name for one in found.objects] == ["count"]
    assert (found.targets, found.ports, [line.look for line in found.lines]) == ((), (), ["said"])


def test_what_waits_is_told_before_what_went() -> None:
    found = flow_map([
        row("erp", "production_order", "mes", total=3, per_minute=3), row("erp", "production_order", "wms", waiting=1),
        row("erp", "production_order", "qms"),
    ])  # fmt: skip
    assert {port.row["target"]: port.look for port in found.ports} == {"mes": "good", "wms": "bad", "qms": "idle"}


def test_more_is_thicker_up_to_a_limit() -> None:
    assert thickness(0) < thickness(10) < thickness(1000)
    assert thickness(10**6) == thickness(10**9)


def test_a_plant_without_flows_has_an_empty_map() -> None:
    assert flow_map([]).lines == ()
