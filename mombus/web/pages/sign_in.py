"""Signing in and out."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from mombus.desk.question import NoAnswerError, QuestionError
from mombus.web.access.provider import SignOnError
from mombus.web.access.redirecting import after
from mombus.web.access.sessions import Refused, Sessions
from mombus.web.access.sign_on import STALE, SignOn
from mombus.web.access.visiting import clear_cookie, set_cookie, visit_of
from mombus.web.forms import Form
from mombus.web.limits import peer_of
from mombus.web.pages import rendering

router = APIRouter()

WRONG = "No account here has this name and this password."


@router.get("/sign-in")
async def page(request: Request, next: str = "/") -> Response:
    """Where one signs in; who is signed in goes on to `next`."""
    visit = visit_of(request)
    if visit.person.roles:
        return RedirectResponse(after(next), 303)
    return _page(request, next=next)


@router.post("/sign-in")
async def sign_in(request: Request, fields: Form) -> Response:
    """Begin a session, under an id that nobody had before."""
    sessions: Sessions | None = request.app.state.sessions
    name, next = fields.get("name", "")[:250], fields.get("next", "/")
    if sessions is None:
        return _page(request, next=next, wrong=WRONG)
    try:
        session = await sessions.sign_in(name, fields.get("password", "")[:1000], peer_of(request.scope))
    except NoAnswerError as error:
        return _page(request, 503, name=name, next=next, wrong=f"The hub can't look at that now: {error}.")
    if isinstance(session, Refused):
        return _refused(request, session, name, next)
    return begun(request, session, next)


@router.get("/sign-in/oidc")
async def sign_on(request: Request, next: str = "/") -> Response:
    """To the identity provider, if there is one."""
    way: SignOn | None = request.app.state.sign_on
    if way is None:
        return _page(request, 404, next=next, wrong="No identity provider is declared (http.oidc).")
    visit = visit_of(request)
    try:
        address = await way.begin(visit.begun(), _back(request), after(next))
    except SignOnError as error:
        await _note(request, way, error)
        return _page(request, 502, next=next, wrong=f"That can't be done now: {error}.")
    return RedirectResponse(address, 303)


@router.get("/sign-in/back")
async def back(request: Request) -> Response:
    """From the identity provider, with a code for who signed in there."""
    way: SignOn | None = request.app.state.sign_on
    said, visit = request.query_params, visit_of(request)
    try:
        if way is None or "state" not in said or not visit.shown:
            raise SignOnError(STALE)
        if "error" in said or said.get("iss", way.provider.issuer) != way.provider.issuer:
            raise SignOnError(f"the identity provider refused: {said.get('error', 'wrong issuer')[:100]}")
        identity, next = await way.end(visit.shown, _back(request), state=said["state"], code=said.get("code", ""))
        issuer, address = way.provider.issuer, peer_of(request.scope)
        session = await request.app.state.sessions.sign_on(identity, issuer, address)
    except (SignOnError, QuestionError) as error:
        await _note(request, way, error)
        return _page(request, 403, next="/", wrong=f"Nobody was signed in: {error}.")
    except NoAnswerError as error:
        return _page(request, 503, next="/", wrong=f"The hub can't look at that now: {error}.")
    return begun(request, session, next)


async def _note(request: Request, way: SignOn | None, error: Exception) -> None:
    """For the audit trail, if the hub takes it now."""
    if way is not None:
        with suppress(NoAnswerError, QuestionError):
            sessions: Sessions = request.app.state.sessions
            await sessions.not_signed_on(way.provider.issuer, str(error), peer_of(request.scope))


def _back(request: Request) -> str:
    return f"{request.base_url}sign-in/back"


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session."""
    visit, sessions = visit_of(request), request.app.state.sessions
    if visit.signed_in and visit.shown:
        await sessions.sign_out(visit.shown)
    answer = rendering.done("/sign-in")
    answer.headers.append("set-cookie", clear_cookie(tls=visit.tls))
    return answer


def begun(request: Request, session: str, next: str) -> Response:
    """On to `next`, signed in."""
    answer = rendering.done(after(next))
    answer.headers.append("set-cookie", set_cookie(session, tls=visit_of(request).tls))
    return answer


def _refused(request: Request, refused: Refused, name: str, next: str) -> Response:
    if refused.again_s is None:
        return _page(request, 401, name=name, next=next, wrong=WRONG)
    wrong = f"Too many tries. Wait {refused.again_s} s; nothing was looked at this time."
    page = _page(request, 429, name=name, next=next, wrong=wrong)
    page.headers["retry-after"] = str(refused.again_s)
    return page


def _page(request: Request, status_code: int = 200, *, next: str, name: str = "", wrong: str = "") -> Response:
    return rendering.page(
        request, "sign_in.html", status_code=status_code, next=after(next), name=name, wrong=wrong,
        provider=request.app.state.sign_on,
    )  # fmt: skip
