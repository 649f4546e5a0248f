"""One's own password, changed in the session in which one asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mombus.desk.access import CHANGE, ChangePassword
from mombus.web.access.sessions import hashed
from mombus.web.access.visiting import visit_of
from mombus.web.limits import peer_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from mombus.desk.access import OldAndNew
    from mombus.web.asking import Asking

WHY = "their own"


async def change_password(request: Request, ask: Asking, said: OldAndNew) -> Mapping[str, Any]:
    """`ok` and `text`; with `again_s` too many were tried. Other sessions end here at once. Raises as `ask`."""
    visit, sessions = visit_of(request), request.app.state.sessions
    answer: Mapping[str, Any] = await ask(CHANGE, ChangePassword(
        why=WHY, old=said.old, new=said.new, address=peer_of(request.scope),
        session=hashed(visit.shown) if visit.signed_in and visit.shown else None,
    ))  # fmt: skip
    if sessions is not None:
        sessions.forget(ask.person.name)
    return answer
