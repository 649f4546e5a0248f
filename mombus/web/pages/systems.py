"""The systems: how each is and why, how it is connected, what goes to it and comes from it; and the hub itself."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from mombus.desk.question import Nothing
from mombus.desk.status import STATUS
from mombus.desk.systems import PROBE, RESUME, SYSTEM, Name, Resume
from mombus.web.asking import Ask, Asking
from mombus.web.forms import Form
from mombus.web.pages import rendering
from mombus.web.pages.deeds import asked_for
from mombus.web.pages.menu import Entry

router = APIRouter()
ENTRY = Entry("Systems", "/systems", icon="systems", order=90)


async def _all(request: Request, ask: Asking, template: str) -> str:
    status = await ask(STATUS, Nothing())
    return rendering.text(
        request, template, systems=status["systems"], hubs=status["hubs"], now=datetime.now(UTC)
    )  # fmt: skip


@router.get("/systems")
async def page(request: Request, ask: Ask) -> Response:
    """How each is."""
    return Response(await _all(request, ask, "systems.html"), media_type="text/html")


@router.get("/live/systems")
async def live(request: Request, ask: Ask) -> Response:
    """Its live part."""
    return rendering.live(request, partial(_all, request, ask, "systems_live.html"))


async def _one(request: Request, ask: Asking, name: str, **more: Any) -> Response:
    system = await ask(SYSTEM, asked_for(Name, {"system": name}))
    return rendering.page(
        request, "system.html", system=system, now=datetime.now(UTC), PROBE=PROBE, RESUME=RESUME, **more
    )  # fmt: skip


@router.get("/systems/{name}")
async def system(request: Request, ask: Ask, name: str) -> Response:
    """One of them."""
    return await _one(request, ask, name)


@router.post("/systems/{name}/probe")
async def probe(request: Request, ask: Ask, name: str) -> Response:
    """Ask it now, and show what it answered: nothing is changed by that, so that it may be sent again."""
    return await _one(request, ask, name, probed=await ask(PROBE, asked_for(Name, {"system": name})))


@router.post("/systems/{name}/resume")
async def resume(request: Request, ask: Ask, name: str, fields: Form) -> Response:
    """A halted system can work again."""
    await ask(RESUME, asked_for(Resume, fields, system=name))
    return rendering.told(request, f"/systems/{name}", f"{name} is tried again.")
