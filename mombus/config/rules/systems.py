"""Systems that can be written to: at some time of the week, with lock keys that mean something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.objects import CATALOGUE
from mombus.config.closing import open_minutes
from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings


def is_open_at_some_time(draft: Draft, findings: Findings) -> None:
    """Closed windows leave something of the week."""
    for name, system in draft.systems.items():
        if system.closed and not open_minutes(system.closed):
            path = f"systems.{name}.closed"
            message = f"'{name}' is closed all week: nothing would ever be written to it"
            findings.error(draft.mark("systems", name, "closed"), path, message, "leave a window open")


def lock_keys_are_objects(draft: Draft, findings: Findings) -> None:
    """Lock keys are data objects."""
    for name, system in draft.systems.items():
        for index, object_ in enumerate(system.serialise_by):
            if object_ not in CATALOGUE:
                hint = did_you_mean(object_, CATALOGUE) or "docs/objects.md lists them"
                mark = draft.mark("systems", name, "serialise_by", index)
                findings.error(mark, f"systems.{name}.serialise_by", f"there is no data object '{object_}'", hint)


RULES = (is_open_at_some_time, lock_keys_are_objects)
