"""Makes spans of what is observed, and sends them to an OpenTelemetry collector in batches, off everybody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mombus import __version__
from mombus.delivery.target import State
from mombus.tracing import names
from mombus.tracing.context import hop_id, place_of, stored_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from opentelemetry.sdk.trace import ReadableSpan

    from canonical.message import Message
    from mombus.config.model import Traces
    from mombus.delivery.target import Hop
    from mombus.tracing.context import Place

    Keep = Callable[[ReadableSpan], None]

FAILED = frozenset({State.REJECTED, State.RETRYING, State.PARKED, State.IN_DOUBT})
UNTOLD = frozenset({State.FILTERED, State.REPEATED, State.ALARM})
"""What isn't worth a span: nothing was meant for the target."""
QUEUE = 20_000
"""Spans that wait to be sent; what doesn't fit is left out, so that a collector that is away costs nothing else."""


class Tracing:
    """Is told of every message stored and of every hop; `keep` takes the spans and returns at once."""

    def __init__(self, *, site: str, share: float, keep: Keep) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - optional
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

        self._share = share
        self._keep = keep
        self._resource = Resource.create({names.SERVICE: "mombus", names.VERSION: __version__, names.SITE: site})
        self._scope = InstrumentationScope("mombus", __version__)

    def stored(self, message: Message, at: datetime) -> None:
        """A message is on the bus."""
        place = place_of(message.id, message.traceparent, message.correlation, self._share)
        if place.is_sampled:
            self._span(
                names.stored_name(message), place, stored_id(message.id), begin=message.recorded, end=at,
                attributes=names.stored_attributes(message),
            )  # fmt: skip

    def hop(self, hop: Hop) -> None:
        """Something became of it at a target."""
        if hop.state in UNTOLD or not hop.message_id or hop.recorded is None:
            return
        place = place_of(hop.message_id, hop.traceparent, hop.correlation, self._share)
        if place.is_sampled:
            self._span(
                names.hop_name(hop), place, hop_id(hop.message_id, hop.target, hop.state, _ns(hop.at)),
                parent=stored_id(hop.message_id), begin=hop.recorded, end=hop.at, attributes=names.hop_attributes(hop),
                failure=(hop.reason or hop.state) if hop.state in FAILED else None,
            )  # fmt: skip

    def _span(
        self, name: str, place: Place, id: int, *, begin: datetime, end: datetime, attributes: Mapping[str, Any],
        parent: int | None = None, failure: str | None = None,
    ) -> None:  # fmt: skip
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, TraceFlags  # noqa: PLC0415
        from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

        def context(span_id: int, *, is_remote: bool = False) -> SpanContext:
            return SpanContext(place.trace_id, span_id, is_remote, TraceFlags(TraceFlags.SAMPLED))

        above = parent or place.parent_id
        well = StatusCode.OK if parent else StatusCode.UNSET
        self._keep(ReadableSpan(
            name, context(id), parent=context(above, is_remote=parent is None) if above else None,
            resource=self._resource, attributes=attributes, instrumentation_scope=self._scope,
            kind=SpanKind.PRODUCER if parent else SpanKind.CONSUMER,
            status=Status(StatusCode.ERROR, failure) if failure else Status(well),
            start_time=min(_ns(begin), _ns(end)), end_time=_ns(end),
        ))  # fmt: skip


class Exporting:
    """Sends spans over OTLP/HTTP from a thread of its own, until closed."""

    def __init__(self, traces: Traces) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        headers = {"authorization": traces.authorization.get_secret_value()} if traces.authorization else {}
        ca = str(traces.ca) if traces.ca else None
        exporter = OTLPSpanExporter(endpoint=traces.endpoint, headers=headers, certificate_file=ca, timeout=5)
        self._processor = BatchSpanProcessor(exporter, max_queue_size=QUEUE)

    def keep(self, span: ReadableSpan) -> None:
        """Send it soon; it is left out when too many wait."""
        self._processor.on_end(span)

    def close(self) -> None:
        """Send what waits, for a few seconds at most. Blocks."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
