"""Whether a plan is what was asked for, and can be done; and what the audit trail says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.hub.changing.changing import NotTakenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mombus.desk.planning import Apply
    from mombus.plan.plan import Plan


def check(plan: Plan, asked: Apply) -> None:
    """Raises NotTakenError when what was asked for isn't what would be done, or can't be done."""
    if asked.base is not None and asked.base != plan.base:
        raise NotTakenError("the hub runs another configuration than when that was planned: make a new plan")
    if asked.to is not None and asked.to != plan.to:
        raise NotTakenError("the files say something else than when that was planned: make a new plan")
    if plan.restart:
        raise NotTakenError("it takes a restart of the hub: " + "; ".join(plan.restart))
    if plan.blocked:
        raise NotTakenError("; ".join(plan.blocked))
    strange = sorted({*asked.skip, *asked.keep} - plan.decidable)
    if strange:
        raise NotTakenError(f"{', '.join(strange)} doesn't go: --skip and --keep are for systems that are removed")
    if both := sorted({*asked.skip} & {*asked.keep}):
        raise NotTakenError(f"{', '.join(both)} can't be skipped and kept: say one of them")
    undecided = {name: count for name, count in plan.undecided.items() if name not in {*asked.skip, *asked.keep}}
    if undecided:
        waits = ", ".join(f"{count} for {name}" for name, count in undecided.items())
        raise NotTakenError(f"messages wait for what would go ({waits}): decide with --skip or --keep, or clear them")


def told(plan: Plan) -> str:
    """The changes in a line, for the audit trail."""
    marks: Mapping[str, str] = {"added": "+", "changed": "~", "removed": "-"}
    said = ", ".join(f"{marks[change.how]}{change.what}" for change in plan.changes)
    hubs = [hub.address for hub in plan.hubs if hub.how == "changes"]
    where = f", at {', '.join(hubs)} too" if hubs else ""
    return f"{said or 'nothing more here'} (configuration {plan.to}{where})"
