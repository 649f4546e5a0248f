"""Who is signed in, and their own password."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from mombus.desk.access import OldAndNew
from mombus.desk.question import QuestionError
from mombus.web.access.own_password import change_password
from mombus.web.access.visiting import visit_of
from mombus.web.asking import Ask
from mombus.web.forms import Form
from mombus.web.pages import rendering
from mombus.web.pages.deeds import asked_for

router = APIRouter()
CHANGED = "You have another password. Wherever else you were signed in, that has ended; tokens of your programs stay."


@router.get("/me")
async def page(request: Request) -> Response:
    """Who they are, and a form for another password if they have one here."""
    return _page(request)


@router.post("/me/password")
async def change(request: Request, ask: Ask, fields: Form) -> Response:
    """Change it; what is wrong with it is said on the page."""
    try:
        told = await change_password(request, ask, asked_for(OldAndNew, fields))
    except QuestionError as error:
        return _page(request, 422, wrong=str(error))
    if "again_s" not in told:
        return rendering.told(request, "/me", CHANGED)
    answer = _page(request, 429, wrong=told["text"])
    answer.headers["retry-after"] = str(told["again_s"])
    return answer


def _page(request: Request, status_code: int = 200, *, wrong: str = "") -> Response:
    return rendering.page(
        request, "own.html", status_code=status_code, account=visit_of(request).account, wrong=wrong
    )  # fmt: skip
