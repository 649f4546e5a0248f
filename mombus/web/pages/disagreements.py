"""Disagreements: who says otherwise than the owner, side by side, and what its process owner decides."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Request, Response

from mombus.desk import disagreements as desk
from mombus.desk.question import Nothing
from mombus.journal.disagreements import Standing
from mombus.web.asking import Ask
from mombus.web.forms import Form
from mombus.web.pages import rendering
from mombus.web.pages.deeds import after, asked_for
from mombus.web.pages.menu import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

router = APIRouter()
ENTRY = Entry("Disagreements", "/disagreements", icon="disagreements", order=60)
FILTERS = ("object", "system", "owner", "process_owner", "key")
Number = Annotated[int, Path(ge=1, le=desk.MOST_NUMBER)]


@router.get("/disagreements")
async def page(request: Request, ask: Ask) -> Response:
    """Those that are asked for, and who waits for an owner's answer."""
    wanted = asked_for(desk.Wanted, request.query_params)
    found, requests = await ask(desk.DISAGREEMENTS, wanted), await ask(desk.REQUESTS, Nothing())
    return rendering.page(
        request, "disagreements.html", found=found, requests=requests, wanted=wanted, standings=list(Standing),
        filters=FILTERS, now=datetime.fromisoformat(found["at"]), older=_older(wanted, found["rows"]),
        narrowed=any(getattr(wanted, name) for name in FILTERS),
    )  # fmt: skip


def _older(wanted: desk.Wanted, rows: Sequence[Mapping[str, Any]]) -> str:
    """The query of the next page."""
    asked = wanted.model_dump(mode="json", exclude_none=True, exclude={"before", "limit"})
    return urlencode(asked | {"before": rows[-1]["number"]}) if rows else ""


@router.get("/disagreements/{number}")
async def one(request: Request, ask: Ask, number: Number) -> Response:
    """One of them side by side."""
    shown = await ask(desk.SHOW, desk.Number(number=number))
    return rendering.page(
        request, "disagreement.html", shown=shown, row=shown["row"], now=datetime.fromisoformat(shown["at"]),
        decide=desk.DECIDE,
    )  # fmt: skip


@router.post("/disagreements/{number}")
async def decide(request: Request, ask: Ask, form: Form, number: Number) -> Response:
    """A decision; what it did is shown on its page."""
    done = await ask(desk.DECIDE, asked_for(desk.Decide, form, number=number))
    return after(request, done, f"/disagreements/{number}", "")
