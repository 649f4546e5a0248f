"""The HTTP API: everything that the pages show and do. One router for each topic; OpenAPI at `/openapi.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.web.api import (
    access,
    audit,
    bulk,
    disagreements,
    floor,
    journey,
    kept,
    messages,
    metrics,
    notes,
    ownership,
    plan,
    searches,
    stages,
    status,
    systems,
    tap,
    waiting,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

ROUTERS = (
    status.router, journey.router, messages.router, searches.router, stages.router, tap.router, waiting.router,
    kept.router, bulk.router, notes.router, systems.router, disagreements.router, ownership.router, floor.router,
    metrics.router, plan.router, access.router, audit.router,
)  # fmt: skip


def add_api(app: FastAPI) -> None:
    """Add every topic's paths."""
    for router in ROUTERS:
        app.include_router(router)
