"""Two pictures of configurations compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mombus.plan.consumers import consumers
from mombus.plan.fates import fates, left_over
from mombus.plan.picture import KINDS, fingerprint
from mombus.plan.plan import Change, FieldChange, Plan
from mombus.plan.renaming import renamed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mombus.plan.fates import Flow
    from mombus.plan.picture import Picture

LONGEST = 1000
"""Characters shown of a value."""
_TAKEN_AT_START = "it is taken when the hub starts: stop it and start it again"
RESTART = {
    "bus": ("broker", "store", "folder"),
    "http": ("host", "port", "certificate", "private_key", "client_ca", "proxies"),
    "plant": ("site",),
}
"""What a running hub can't change: where it keeps its messages, where it listens, what its subjects are called."""


def compare(before: Picture, after: Picture, flow: Flow) -> Plan:
    """What `after` changes, and what that means for what is on its way."""
    changes = tuple(
        change for section in after for change in _section(section, before.get(section, {}), after[section])
    )
    hints, repeats = renamed(changes, before, after, flow.bookmarked)
    return Plan(
        base=fingerprint(before), to=fingerprint(after), changes=changes, consumers=tuple(consumers(before, after)),
        in_flight=tuple(fates(before, after, flow)), left=tuple(left_over(before, after, flow)),
        hints=hints, repeats=repeats,
    )  # fmt: skip


def _section(
    section: str, before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> Iterator[Change]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        how = "added" if old is None else "removed" if new is None else "changed"
        fields = _differing(old or {}, new or {})
        reasons = [one.field for one in fields if one.field.split(".")[0] in RESTART.get(section, ())]
        restart = f"{', '.join(reasons)}: {_TAKEN_AT_START}" if reasons else None
        yield Change(kind=KINDS.get(section, section), what=name, how=how, fields=fields, restart=restart)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    names = [*old, *(name for name in new if name not in old)]
    return tuple(
        FieldChange(field=name, before=_short(old.get(name)), after=_short(new.get(name)))
        for name in names if old.get(name) != new.get(name)
    )  # fmt: skip


def _short(value: Any) -> Any:
    """A plan is to be read, and to fit into an answer."""
    return f"{value[: LONGEST - 1]}…" if isinstance(value, str) and len(value) > LONGEST else value
