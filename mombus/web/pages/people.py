"""The people who may come in: accounts, roles, sessions and tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from mombus.bus.commands import UnknownNameError
from mombus.desk import access as desk
from mombus.desk.question import Nothing, QuestionError, Role
from mombus.web.access.sessions import give_token
from mombus.web.asking import Ask, Asking
from mombus.web.forms import Form, understood
from mombus.web.pages import rendering
from mombus.web.pages.menu import Entry

if TYPE_CHECKING:
    from mombus.desk.question import Question
    from mombus.web.forms import Fields

router = APIRouter()
ENTRY = Entry("People", "/people", icon="people", order=95, asks=desk.PEOPLE)
DEEDS: dict[str, Question] = {
    "add": desk.ADD, "roles": desk.ROLES, "password": desk.PASSWORD, "disable": desk.DISABLE, "enable": desk.ENABLE,
    "remove": desk.REMOVE, "end": desk.END, "end-all": desk.END_ALL,
}  # fmt: skip


@router.get("/people")
async def page(request: Request, ask: Ask) -> Response:
    """Everybody."""
    return await _page(request, ask)


@router.post("/people/token")
async def token(request: Request, ask: Ask, fields: Form) -> Response:
    """Make a token. It is shown by this answer alone."""
    try:
        given = await give_token(ask, understood(desk.WantToken, _said(fields)))
    except (QuestionError, UnknownNameError) as error:
        return await _page(request, ask, wrong=str(error))
    return await _page(request, ask, given=given)


@router.post("/people/{what}")
async def do(request: Request, ask: Ask, fields: Form, what: str) -> Response:
    """Change something; what is wrong with it is said on the page."""
    question = DEEDS.get(what)
    if question is None:
        raise UnknownNameError("deed", what, DEEDS)
    try:
        done = await ask(question, understood(question.asked, _said(fields)))
    except (QuestionError, UnknownNameError) as error:
        return await _page(request, ask, wrong=str(error))
    return rendering.told(request, "/people", f"{done['text']}.")


def _said(fields: Fields) -> dict[str, Any]:
    """A form's fields as a deed has them."""
    roles = fields.getlist("roles")
    return {**fields, "roles": roles} if "roles" in fields else dict(fields)


async def _page(request: Request, ask: Asking, *, wrong: str = "", given: desk.Given | None = None) -> Response:
    found = await ask(desk.PEOPLE, Nothing())
    return rendering.page(
        request, "people.html", status_code=422 if wrong else 200, found=found, roles=list(Role), wrong=wrong,
        given=given, now=datetime.now(UTC),
    )  # fmt: skip
