"""Prometheus metrics: counters fed by what the hub observes, gauges set when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DELAYS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600)


class Metrics:
    """The hub's metrics. Labels are objects and systems, never keys: their number stays small."""

    def __init__(self, intake: Mapping[tuple[str, str, str], int]) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Intake(intake))
        self.handovers = self._counter("handovers", "What became of them at targets.", "target", "object", "state")
        self.gaps = self._counter("gaps", "Stretches in which a source may have missed things.", "system")
        self.delay = Histogram(
            "mombus_handover_delay_seconds", "From recorded to delivered.", ["target", "object"],
            registry=self.registry, buckets=DELAYS_S,
        )  # fmt: skip
        self.waiting = self._gauge("waiting", "Messages in the waiting room.", "target", "kind")
        self.lag = self._gauge("lag", "Messages stored for a target that it hasn't read yet.", "target")
        self.oldest = self._gauge("oldest_waiting_seconds", "Age of what waits longest.", "target")
        self.system_up = self._gauge("system_up", "1 when a system's connector is well.", "system", "kind")
        self.door_refused = self._gauge("door_refused", "Requests sent away at a system's door.", "system", "why")
        self.broker_up = self._gauge("broker_up", "1 while the broker answers.")
        self.disk_free = self._gauge("disk_free_bytes", "Free room on the disk of the hub's folder.")
        self.spool_items = self._gauge("spool_items", "Items kept on disk while nothing is stored.", "system")
        self.spool_bytes = self._gauge("spool_bytes", "Bytes of them.", "system")
        self.spool_age = self._gauge("spool_age_seconds", "For how long its spool has held something.", "system")
        self.spool_lost = self._gauge("spool_lost", "Values lost since its spool is full.", "system")

    def text(self) -> bytes:
        """Everything in Prometheus text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"mombus_{name}", meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"mombus_{name}", meaning, labels, registry=self.registry)


class _Intake(Collector):
    """What came in, from the intake's own counts by (system, object, what)."""

    def __init__(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[CounterMetricFamily]:
        """One series per system, object and outcome."""
        family = CounterMetricFamily(
            "mombus_intake", "Messages from systems, and what became of them.", labels=("system", "object", "outcome")
        )
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count)
        yield family
