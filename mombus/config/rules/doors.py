"""The doors of systems that call us: each at a path of its own, each with a lock that can work."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from mombus.config.rules.http import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.door import DoorConfig
    from mombus.config.draft import Draft
    from mombus.config.finding import Findings

HUBS_OWN = ("/api", "/live", "/livez", "/readyz", "/healthz", "/metrics", "/static")


class _Hosted(NamedTuple):
    system: str
    path: str
    door: DoorConfig


def door_is_locked(draft: Draft, findings: Findings) -> None:
    """A door without a credential takes anybody's word: on this machine only."""
    if draft.http is None or is_loopback(draft.http.host):
        return
    for system, path, door in _hosted(draft):
        if not door.locked:
            message = f"anybody who can reach {draft.http.host} could speak for '{system}' at {path}"
            hint = "give `door:` tokens, users, signatures or certificates, or let http listen on 127.0.0.1"
            findings.error(draft.key("systems", system), f"systems.{system}.door", message, hint)


def door_has_its_authority(draft: Draft, findings: Findings) -> None:
    """Client certificates are checked against an authority."""
    for system, _, door in _hosted(draft):
        if door.certificates and draft.http is not None and draft.http.client_ca is None:
            message = "client certificates can't be checked: no authority is named that signs them"
            place = ("systems", system, "door", "certificates")
            findings.error(draft.mark(*place), f"systems.{system}.door", message, "set http.client_ca")


def doors_are_apart(draft: Draft, findings: Findings) -> None:
    """No two systems at one path, and none where the hub's own pages are."""
    hosted = list(_hosted(draft))
    for one, two in combinations(hosted, 2):
        if _covers(one.path, two.path) or _covers(two.path, one.path):
            message = f"'{one.system}' listens at {one.path} already"
            findings.error(
                draft.mark("systems", two.system, "listen"), f"systems.{two.system}.listen", message,
                "give each a path of its own, such as /in/" + two.system,
            )  # fmt: skip
    for system, path, _ in hosted:
        if any(_covers(own, path) for own in HUBS_OWN):
            findings.error(
                draft.mark("systems", system, "listen"), f"systems.{system}.listen",
                f"{path} is the hub's own", f"choose another path, such as /in/{system}",
            )  # fmt: skip


RULES = (door_is_locked, door_has_its_authority, doors_are_apart)


def _hosted(draft: Draft) -> Iterator[_Hosted]:
    for system, connector in draft.connectors.items():
        door, path = getattr(connector, "door", None), getattr(connector, "path", None)
        if door is not None and path is not None:
            yield _Hosted(system, path, door)


def _covers(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}/")
