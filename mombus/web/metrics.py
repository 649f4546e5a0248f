"""Prometheus metrics: counters fed by what the hub observes, gauges set when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from mombus import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric


class _Describes(Protocol):
    def describe(self) -> Iterable[Metric]: ...


Declared = TypeVar("Declared", bound=_Describes)

DELAYS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600)


class Metrics:
    """The hub's metrics. Labels are objects and systems, never keys: their number stays small."""

    def __init__(self, intake: Mapping[tuple[str, str, str], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._declared: list[tuple[_Describes, Sequence[str]]] = []
        self.registry.register(self._declare(_Intake(intake), _Intake.LABELS))
        self._gauge("build_info", "1, with the version that runs.", "version").labels(__version__).set(1)
        self.handovers = self._counter("handovers", "What became of them at targets.", "target", "object", "state")
        self.gaps = self._counter("gaps", "Stretches in which a source may have missed things.", "system")
        self.exchanges_dropped = self._counter(
            "exchanges_dropped", "Calls to targets that weren't kept to be looked at, and why.", "target", "why"
        )  # fmt: skip
        self.delay = self._declare(
            Histogram(
                "mombus_handover_delay_seconds", "From recorded to delivered.", ["target", "object"],
                registry=self.registry, buckets=DELAYS_S,
            ), ("target", "object"),
        )  # fmt: skip
        self.waiting = self._gauge("waiting", "Messages in the waiting room.", "target", "kind")
        self.lag = self._gauge("lag", "Messages stored for a target that it hasn't read yet.", "target")
        self.oldest = self._gauge("oldest_waiting_seconds", "Age of what waits longest.", "target")
        self.route_waiting = self._gauge(
            "route_waiting", "Messages of an object that wait for a target.", "target", "object"
        )  # fmt: skip
        self.route_oldest = self._gauge(
            "route_oldest_waiting_seconds", "Age of the one that waits longest.", "target", "object"
        )  # fmt: skip
        self.route_late = self._gauge(
            "route_late", "Messages that wait, or are in hand, and are over their route's promise.", "target", "object"
        )  # fmt: skip
        self.kept = self._gauge(
            "kept", "Items that came in and couldn't be taken, not dealt with yet.", "system", "kind"
        )
        self.disagreements = self._gauge("disagreements", "Open disagreements with the owner.", "object")
        self.system_up = self._gauge("system_up", "1 when a system's connector is well.", "system", "kind")
        self.system_state = self._gauge("system_state", "1 for the state a system is in.", "system", "state")
        self.last_data = self._gauge(
            "last_data_timestamp_seconds", "When a system last said something, in Unix time.", "system"
        )  # fmt: skip
        self.last_delivery = self._gauge(
            "last_delivery_timestamp_seconds", "When something was delivered to it last, in Unix time.", "target"
        )  # fmt: skip
        self.silent = self._gauge(
            "system_silent_seconds",
            "For how long a connected system has been silent, if that is longer than ever in a week; else 0.", "system",
        )  # fmt: skip
        self.door_refused = self._gauge("door_refused", "Requests sent away at a system's door.", "system", "why")
        self.broker_up = self._gauge("broker_up", "1 while the broker answers.")
        self.journal_up = self._gauge(
            "journal_up", "1 while the journal's database answers; else what waits and what is behind isn't told."
        )  # fmt: skip
        self.config_reload_failed = self._gauge(
            "config_reload_failed", "1 while the file on disk couldn't be taken over: the one before it works on."
        )  # fmt: skip
        self.disk_free = self._gauge("disk_free_bytes", "Free room on the disk of the hub's folder.")
        self.disk_size = self._gauge("disk_size_bytes", "All of that disk.")
        self.disk_stop = self._gauge("disk_stop_bytes", "With less free room nothing more is taken in.")
        self.store_bytes = self._gauge("store_bytes", "What each of the hub's stores uses.", "store")
        self.store_limit = self._gauge("store_limit_bytes", "What it may use at most, if it has a limit.", "store")
        self.certificate_end = self._gauge(
            "certificate_end_timestamp_seconds", "When a certificate ends, in Unix time.", "about", "field"
        )  # fmt: skip
        self.clock_ahead = self._gauge(
            "clock_ahead_seconds", "By how much a clock is ahead of the hub's, where its wire tells.", "about"
        )  # fmt: skip
        self.spool_items = self._gauge("spool_items", "Items kept on disk while nothing is stored.", "system")
        self.spool_bytes = self._gauge("spool_bytes", "Bytes of them.", "system")
        self.spool_limit = self._gauge("spool_limit_bytes", "What its spool may hold.", "system")
        self.spool_age = self._gauge("spool_age_seconds", "For how long its spool has held something.", "system")
        self.spool_lost = self._gauge("spool_lost", "Values lost since its spool is full.", "system")

    def text(self) -> bytes:
        """Everything in Prometheus text format."""
        return generate_latest(self.registry)

    def described(self) -> Iterator[tuple[Metric, Sequence[str]]]:
        """Each metric of ours with its labels, in the order they are declared."""
        for collector, labels in self._declared:
            yield from ((family, labels) for family in collector.describe())

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return self._declare(Counter(f"mombus_{name}", meaning, labels, registry=self.registry), labels)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return self._declare(Gauge(f"mombus_{name}", meaning, labels, registry=self.registry), labels)

    def _declare(self, collector: Declared, labels: Sequence[str]) -> Declared:
        self._declared.append((collector, labels))
        return collector


class _Intake(Collector):
    """What came in, from the intake's own counts by (system, object, what)."""

    LABELS = ("system", "object", "outcome")

    def __init__(self, counts: Mapping[tuple[str, str, str], int]) -> None:
        self._counts = counts

    def describe(self) -> Iterable[CounterMetricFamily]:
        """Without any series."""
        yield CounterMetricFamily(
            "mombus_intake", "Messages from systems, and what became of them.", labels=self.LABELS
        )

    def collect(self) -> Iterable[CounterMetricFamily]:
        """One series per system, object and outcome."""
        (family,) = self.describe()
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count)
        yield family
