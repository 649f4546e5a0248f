"""A plan as people read it: what changes, what that is for the broker, and what becomes of what is on its way."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mombus.cli.showing import printable
from mombus.plan.consumers import READS_ON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mombus.plan.plan import AtHub, Change, ConsumerChange, Fate, FieldChange, Plan

MARKS = {"added": "+", "changed": "~", "removed": "-"}
HEADINGS = {"system": "systems", "object": "objects", "route": "routes", "alias": "aliases"}
AT = {"has it": "= runs it", "changes": "~ changes too", "refuses": "! can't take it"}
PARTS = {"has it": "=", "first": "!", "start": "?", "afterwards": "~"}
LONGEST = 200
SHARDS_SHOWN = 2


def show(plan: Plan) -> None:
    """Print it on stdout."""
    sys.stdout.writelines(f"{printable(line)}\n" if line else "\n" for line in lines(plan))


def lines(plan: Plan) -> Iterator[str]:
    """It, line by line."""
    if not plan.changes:
        yield "Nothing changes: the hub runs this configuration."
    for kind, changes in groupby(plan.changes, lambda change: change.kind):
        yield f"{HEADINGS.get(kind, kind)}:"
        yield from (line for change in changes for line in _change(change))
    if plan.consumers:
        yield ""
        yield "At the broker:"
        yield from (line for consumer in plan.consumers for line in _consumer(consumer))
    for heading, fates in (("On their way:", plan.in_flight), ("Left by an earlier change:", plan.left)):
        if fates:
            yield ""
            yield heading
            yield from map(_fate, fates)
    if plan.hubs:
        yield ""
        yield "At the other hubs:"
        yield from (line for hub in plan.hubs for line in _at(hub))
    if plan.apart:
        yield ""
        yield "In processes of their own:"
        yield from (f"  {PARTS[one.how]} {one.part}: {one.text}" for one in plan.apart)
    yield from _ending(plan)


def _ending(plan: Plan) -> Iterator[str]:
    if plan.hints or plan.restart or plan.repeats or plan.undecided:
        yield ""
    yield from (f"? {hint}" for hint in plan.hints)
    yield from (f"! {line}" for line in (*plan.restart, *plan.repeats))
    for target, count in plan.undecided.items():
        waits = "message waits" if count == 1 else "messages wait"
        yield f"! {count} {waits} for {target}: decide with --skip {target} or --keep {target}, or clear them first"
    if plan.changes:
        counts = {how: sum(change.how == how for change in plan.changes) for how in MARKS}
        yield ""
        yield f"{counts['added']} added, {counts['changed']} changed, {counts['removed']} removed."


def _at(hub: AtHub) -> Iterator[str]:
    yield f"  {AT[hub.how]}: {hub.address}"
    yield from _indented(hub.says)


def _change(change: Change) -> Iterator[str]:
    yield f"  {MARKS[change.how]} {change.what}"
    yield from (f"      {_field(field, change.how)}" for field in change.fields if change.how != "removed")


def _field(field: FieldChange, how: str) -> str:
    if how == "added":
        return f"{field.field}: {_value(field.after)}"
    return f"{field.field}: {_value(field.before)} → {_value(field.after)}"


def _consumer(consumer: ConsumerChange) -> Iterator[str]:
    more = len(consumer.names) - SHARDS_SHOWN
    names = ", ".join(consumer.names[:SHARDS_SHOWN]) + (f" and {more} more" if more > 0 else "")
    yield f"  {MARKS[consumer.how]} {names}"
    anew = [text for text in consumer.begins if not text.endswith(READS_ON)]
    yield from _indented(anew)
    if len(anew) < len(consumer.begins):
        yield from _indented([f"everything else {READS_ON}" if anew else READS_ON])


def _indented(texts: Iterable[str]) -> Iterator[str]:
    return (f"      {text}" for text in texts)


def _fate(fate: Fate) -> str:
    return f"  {'!' if fate.decide else ' '} {fate.count} for {fate.target} ({fate.what}): {fate.text}"


def _value(value: Any) -> str:
    match value:
        case None:
            text = "(default)"
        case bool():
            text = "true" if value else "false"
        case list():
            text = ", ".join(map(str, value))
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
