"""Systems."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from mombus.desk.question import Nothing
from mombus.desk.systems import PROBE, RESUME, SYSTEM, SYSTEMS, Name, Probed, Resume, SystemDetail, SystemState
from mombus.desk.waiting import Done
from mombus.web.api.deeds import Why
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask

router = APIRouter(prefix="/api/systems", tags=["systems"], responses=REFUSED)

System = Annotated[str, Path(min_length=1, max_length=32, description="The system's name.")]


@router.get("", response_model=list[SystemState])
async def systems(ask: Ask) -> Any:
    """How each system is."""
    return await ask(SYSTEMS, Nothing())


@router.get("/{name}", response_model=SystemDetail)
async def system(ask: Ask, name: System) -> Any:
    """One system with its configuration, without secrets, and its part in the plant."""
    return await ask(SYSTEM, Name(system=name))


@router.post("/{name}/probe", response_model=Probed)
async def probe(ask: Ask, name: System) -> Any:
    """Ask the system now."""
    return await ask(PROBE, Name(system=name))


@router.post("/{name}/resume", response_model=Done)
async def resume(ask: Ask, name: System, said: Why) -> Any:
    """A halted system can work again."""
    return await ask(RESUME, Resume(system=name, why=said.why))
