"""What a configuration must keep to beyond each field being right: one function per rule, all of them always run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.config.rules import aliases, doors, expressions, http, ownership, routes, shards, storage, systems, traces

if TYPE_CHECKING:
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings

RULES = (
    *ownership.RULES, *routes.RULES, *systems.RULES, *expressions.RULES, *aliases.RULES, *http.RULES, *doors.RULES,
    *shards.RULES, *storage.RULES, *traces.RULES,
)  # fmt: skip


def check(draft: Draft, findings: Findings) -> None:
    """Note every rule that the draft breaks."""
    for rule in RULES:
        rule(draft, findings)
