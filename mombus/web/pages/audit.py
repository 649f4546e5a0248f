"""The audit trail: who did what, when, about what, why, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from mombus.desk import audit as desk
from mombus.web.asking import Ask
from mombus.web.forms import understood
from mombus.web.pages import rendering
from mombus.web.pages.menu import Entry

router = APIRouter()
ENTRY = Entry("Audit", "/audit", icon="audit", order=90)
FILTERS = {"who": "Who", "action": "Did what", "target": "System", "message_id": "Message, item or account"}


@router.get("/audit")
async def page(request: Request, ask: Ask) -> Response:
    """Those that are asked for; with `verify` also whether the trail is as it was written."""
    said = {name: value for name, value in request.query_params.items() if value and name != "verify"}
    wanted = understood(desk.Wanted, said)
    rows = await ask(desk.AUDIT, wanted)
    verdict = await ask(desk.VERIFY, desk.Verify()) if "verify" in request.query_params else None
    narrowed = {name: value for name in FILTERS if (value := getattr(wanted, name))}
    before = rows[-1]["number"] if rows else 1
    more = before > 1 and await ask(desk.AUDIT, wanted.model_copy(update={"before": before, "limit": 1}))
    older = urlencode(narrowed | {"before": before}) if more else ""
    return rendering.page(
        request, "audit.html", rows=rows, wanted=wanted, filters=FILTERS, narrowed=narrowed, older=older,
        verdict=verdict, verify=desk.VERIFY, now=datetime.now(UTC),
    )  # fmt: skip
