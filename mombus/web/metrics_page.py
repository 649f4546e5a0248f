"""The reference page of the metrics, from their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.web.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """# Metrics

`GET /metrics` has them in Prometheus' text format. Labels are systems, objects and states, never keys. Alert rules for
them are in [deploy/prometheus/alerts.yaml](../deploy/prometheus/alerts.yaml), a dashboard is
[deploy/grafana/mombus.json](../deploy/grafana/mombus.json). Of several hubs each tells its own counters; what waits is
the same at all of them, since it is in their journal.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Markdown: one row for each metric of ours, and the names of the process's own."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows()) + _PROCESS


_PROCESS = """
Beside these are the process's own as every Prometheus client has them: `process_resident_memory_bytes`,
`process_cpu_seconds_total`, `process_open_fds`, `process_start_time_seconds` (Linux only).
"""


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for family, labels in Metrics({}).described():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation
