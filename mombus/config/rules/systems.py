"""Systems that can be written to: at some time of the week, with lock keys that mean something, and files there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from canonical.objects import CATALOGUE
from mombus.config.closing import Period, open_minutes
from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings

_FILES = {"ca", "ca_file", "cert_file", "credentials", "key_file"}
"""Fields of connectors that name a file."""


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
            if object_ not in CATALOGUE or object_ == "gap":
                hint = did_you_mean(object_, CATALOGUE) or "docs/objects.md lists them"
                mark = draft.mark("systems", name, "serialise_by", index)
                findings.error(mark, f"systems.{name}.serialise_by", f"there is no data object '{object_}'", hint)


def periods_are_to_come(draft: Draft, findings: Findings) -> None:
    """A closing of one time that is over was probably meant for another year."""
    zone = draft.plant.timezone if draft.plant else UTC
    for name, system in draft.systems.items():
        for index, period in enumerate(system.closed):
            if isinstance(period, Period) and period.end.replace(tzinfo=zone) < datetime.now(UTC):
                mark = draft.mark("systems", name, "closed", index)
                findings.warning(mark, f"systems.{name}.closed", f"'{period.text}' is over", "take it out")


def files_are_there(draft: Draft, findings: Findings) -> None:
    """Certificates, keys and credentials that a connector names can be read, where it is to run."""
    for name, system in draft.systems.items():
        if not draft.needs.needed(f"systems.{name}", ()):
            continue
        for field in _FILES & set(type(system.config).model_fields):
            path = getattr(system.config, field)
            if isinstance(path, str) and not (draft.folder / path).is_file():
                findings.error(
                    draft.mark("systems", name, field), f"systems.{name}.{field}", f"there is no file {path}",
                    "paths start at the configuration file's folder",
                )  # fmt: skip


RULES = (is_open_at_some_time, lock_keys_are_objects, periods_are_to_come, files_are_there)
