"""One order, lot or piece of equipment through every system, on one time axis."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from mombus.desk.journey import JOURNEY, Number
from mombus.desk.question import Nothing
from mombus.desk.status import STATUS
from mombus.web.asking import Ask
from mombus.web.drawing.lanes import lanes
from mombus.web.pages import rendering
from mombus.web.pages.menu import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

router = APIRouter()
ENTRY = Entry("Journey", "/journey", icon="journey", order=50)
LONGEST = 250
LATELY = 8
"""Numbers that are offered where none is given."""


@router.get("/journey")
async def search(request: Request, ask: Ask, number: str = "") -> Response:
    """Where a number is asked for; what was asked goes to its page."""
    if number.strip():
        return rendering.done(f"/journey/{quote(number.strip()[:LONGEST], safe='')}")
    status = await ask(STATUS, Nothing())
    lately = dict.fromkeys(row["lane"].removeprefix("order:") for row in status["messages"] if _is_order(row["lane"]))
    return rendering.page(request, "journey_search.html", lately=list(lately)[:LATELY])


@router.get("/journey/{number:path}")
async def page(request: Request, ask: Ask, number: str) -> Response:
    """The journey, or what may have been meant."""
    found = await ask(JOURNEY, Number(number=number.strip()[:LONGEST] or "-"))
    now = datetime.fromisoformat(found["at"])
    arrived = [hop for hop in found["hops"] if hop["target"]]
    return rendering.page(
        request, "journey.html", journey=found, now=now, drawn=lanes(found["hops"], now, rendering.zone_of(request)),
        messages=len({hop["message_id"] for hop in found["hops"]}),
        waits=_alike(hop for hop in arrived if hop["waits"]),
        slowest=max(arrived, key=lambda hop: hop["delay_s"], default=None), status_code=200 if found["hops"] else 404,
    )  # fmt: skip


def _alike(waits: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """What waits, together what waits for the same system for the same reason."""
    found: dict[tuple[str, str, str | None], list[dict[str, Any]]] = {}
    for hop in waits:
        found.setdefault((hop["target"], hop["state"], hop["reason"]), []).append(hop)
    return list(found.values())


def _is_order(lane: str) -> bool:
    return lane.startswith("order:")
