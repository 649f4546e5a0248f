"""Traces: what sends them is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings

NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def exporter_is_installed(draft: Draft, findings: Findings) -> None:
    """An endpoint needs the optional packages."""
    if draft.traces is None or draft.traces.endpoint is None or all(map(_is_installed, NEEDED)):
        return
    findings.error(
        draft.mark("traces", "endpoint"), "traces.endpoint", "what sends traces isn't installed",
        "pip install 'mombus[opentelemetry]'",
    )  # fmt: skip


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


RULES = (exporter_is_installed,)
