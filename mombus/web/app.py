"""The hub's HTTP application: pages, API, probes, metrics, and the doors of hosted connectors.

A request passes doors.py (is it for a connector?), secured.py (headers of the answer), `access/` (who is it, and did a
page of ours send it?), and then a page in `pages/` or a path of the API in `api/`, which ask the hub through asking.py.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from mombus import __version__
from mombus.web.access.forgery import Forgery
from mombus.web.access.guard import Guard, House
from mombus.web.access.provider import Provider
from mombus.web.access.sessions import Sessions
from mombus.web.access.sign_on import SignOn
from mombus.web.access.visiting import Visiting, visit_of
from mombus.web.api import add_api
from mombus.web.doors import Doors
from mombus.web.live import Live
from mombus.web.pages import add_pages
from mombus.web.probes import add_probes
from mombus.web.refusals import add_refusals
from mombus.web.secured import Secured

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from starlette.types import ASGIApp

    from mombus.config.oidc import Oidc
    from mombus.desk.question import Desk
    from mombus.web.probes import Notices, Ready


def make_part_app(
    ready: Ready, doors: Mapping[str, ASGIApp], *, open_to_all: bool, notices: Notices = tuple
) -> FastAPI:
    """The application of a process without pages: its doors and its probes, which say why only if `open_to_all`."""
    app = FastAPI(title="mombus", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Secured)
    add_probes(app, ready, notices, open_to=lambda _request: open_to_all)
    app.add_middleware(Doors, doors=doors)
    return app


def make_app(
    desk: Desk, doors: Mapping[str, ASGIApp], token: str | None = None, *, names: Sequence[str] = (),
    notices: Notices = tuple, site: str = "", zone: tzinfo = UTC, accounts: bool = False, oidc: Oidc | None = None,
    hsts: bool | None = None,
) -> FastAPI:  # fmt: skip
    """The application; `doors` are the hosted connectors' applications by path, which ask for their own credentials.

    With a `token` everything else but the plain probes asks for it. With `accounts` people may have some of their own:
    from the first one on they sign in, with `oidc` in any case. Without all of these it answers to who calls it by a
    name of this machine's own, or by one of `names`. `notices` gives what doesn't keep the hub from its work, but will:
    a certificate that ends soon. `site` is what the pages are about, `zone` the time zone they tell times in. With
    `hsts` who came by TLS comes by nothing else for a year; without, it is taken back; None says nothing about it.
    """
    app = FastAPI(title="mombus", version=__version__, docs_url=None, redoc_url=None)
    app.add_middleware(Forgery)
    sessions = Sessions(desk) if accounts or oidc else None
    app.add_middleware(Guard, house=House(token, sessions, names))
    app.add_middleware(Visiting)
    app.add_middleware(Secured, hsts=hsts)
    add_probes(app, desk.ready, notices, open_to=lambda request: bool(visit_of(request).person.roles))
    app.state.live = Live()
    app.state.desk, app.state.site, app.state.zone, app.state.sessions = desk, site, zone, sessions
    app.state.sign_on = SignOn(Provider(oidc)) if oidc else None
    add_refusals(app)
    add_api(app)
    add_pages(app)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_middleware(Doors, doors=doors)
    return app
