"""Who owns what: the table of `objects:`, asked with an object and what is said about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from canonical.references import references

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from canonical.element import Element
    from canonical.isa95.resources import Equipment
    from mombus.config.model import Ownership

GAP = "gap"
_PLACES = frozenset({"equipment", "location"})


class _Share(NamedTuple):
    owner: str
    inside: frozenset[str] | None
    """The equipment of its scope; None for everything no other scope has."""


class Owners:
    """The ownership table. Every system owns the gaps it reports about itself."""

    def __init__(self, objects: Sequence[Ownership], equipment: Sequence[Equipment] = ()) -> None:
        subtrees = _subtrees(equipment)
        self._shares: dict[str, list[_Share]] = {}
        for row in objects:
            inside = None if row.scope is None else subtrees.get(row.scope, frozenset({row.scope}))
            shares = self._shares.setdefault(row.object, [])
            shares.append(_Share(row.owner, inside))
            shares.sort(key=lambda share: share.inside is None)

    def of(self, object: str, body: Element | None, source: str) -> str | None:
        """The owner of what `source` says in `body`; None when nobody owns it here.

        Scopes are decided by the equipment and locations that the body names. Without a body (a get, a tombstone) the
        source wins if it owns a part, else the owner of the whole.
        """
        if object == GAP:
            return source if body is None or getattr(body, "system", source) == source else None
        shares = self._shares.get(object, ())
        if len(shares) == 1 and shares[0].inside is None:
            return shares[0].owner
        if body is None:
            owners = [share.owner for share in shares]
            return source if source in owners else next(iter(reversed(owners)), None)
        named = _places(object, body)
        return next((share.owner for share in shares if share.inside is None or share.inside & named), None)

    def owned_by(self, system: str) -> frozenset[str]:
        """The objects that a system owns, wholly or in a scope."""
        return frozenset(name for name, shares in self._shares.items() if any(s.owner == system for s in shares))


def _places(object: str, body: Element) -> frozenset[str]:
    named = {reference.id for reference in references(body) if reference.object in _PLACES}
    if object in _PLACES:
        named.add(str(getattr(body, "id", "")))
    return frozenset(named)


def _subtrees(equipment: Iterable[Equipment]) -> Mapping[str, frozenset[str]]:
    """For each piece of equipment itself and everything below it."""
    found: dict[str, frozenset[str]] = {}
    for one in equipment:
        below = _subtrees(one.equipment_child)
        found.update(below)
        found[one.id] = frozenset({one.id}).union(*below.values()) if below else frozenset({one.id})
    return found
