"""The pages: each shows what the API answers, rendered here. One router for each page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mombus.web.pages import (
    audit,
    disagreements,
    floor,
    flows,
    journey,
    kept,
    message,
    messages,
    night,
    own,
    ownership,
    people,
    sign_in,
    systems,
    waiting,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

ROUTERS = (
    night.router,
    flows.router,
    messages.router,
    message.router,
    journey.router,
    disagreements.router,
    ownership.router,
    floor.router,
    audit.router,
    people.router,
    own.router,
    sign_in.router,
    waiting.router,
    kept.router,
    systems.router,
)
ENTRIES = (
    night.ENTRY,
    flows.ENTRY,
    messages.ENTRY,
    journey.ENTRY,
    waiting.ENTRY,
    systems.ENTRY,
    disagreements.ENTRY,
    ownership.ENTRY,
    floor.ENTRY,
    audit.ENTRY,
    people.ENTRY,
)
"""The navigation: those pages that people begin at."""


def add_pages(app: FastAPI) -> None:
    """Add every page."""
    app.state.menu = sorted(ENTRIES, key=lambda entry: entry.order)
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False)
