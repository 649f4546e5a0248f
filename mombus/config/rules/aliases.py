"""Aliases of declared systems, for objects of the catalogue, to things that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.objects import CATALOGUE
from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings


def system_is_declared(draft: Draft, findings: Findings) -> None:
    """Aliases are a declared system's words."""
    for system in draft.aliases:
        if system not in draft.declared:
            hint = did_you_mean(system, draft.declared)
            findings.error(draft.key("aliases", system), "aliases", f"'{system}' is no declared system", hint)


def object_is_known(draft: Draft, findings: Findings) -> None:
    """Aliases are ids of a data object."""
    for system, objects in draft.aliases.items():
        for name in objects:
            if name not in CATALOGUE:
                mark = draft.key("aliases", system, name)
                hint = did_you_mean(name, CATALOGUE) or "docs/objects.md lists them"
                findings.error(mark, f"aliases.{system}", f"there is no data object '{name}'", hint)


def equipment_exists(draft: Draft, findings: Findings) -> None:
    """An alias of equipment leads to a row of the equipment file."""
    known = draft.scopes()
    for system, objects in draft.aliases.items():
        for native, canonical in objects.get("equipment", {}).items() if known else ():
            if canonical not in known:
                mark = draft.mark("aliases", system, "equipment", native)
                message = f"'{canonical}' is not in the equipment file"
                findings.warning(mark, f"aliases.{system}.equipment", message, did_you_mean(canonical, known))


RULES = (system_is_declared, object_is_known, equipment_exists)
