"""Templates, and pages that renew a part of themselves.

Every `<form method="post">` has the field `csrf_field()`, or what it sends is refused:

    <form method="post" action="/waiting/retry">{{ csrf_field() }} … </form>

A template of macros gets it by `{% import "parts.html" as parts with context %}`. A script sends the token of any such
field as the header `X-CSRF-Token`. An endpoint reads a form as `fields: Form` (`mombus/web/forms.py`) and answers with
`rendering.told(request, path, text)`: the page at `path` says the text, once. `person` is who looks at the page;
`may(question)` says whether they may ask that; `link(page, name)` names a thing and leads to its page, once there is
one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from mombus import __version__
from mombus.web.access.visiting import visit_of
from mombus.web.live import TOKEN, events
from mombus.web.words import age, clock, day, laid_out, lasted, lately, moment, percent, size, span, things, words

if TYPE_CHECKING:
    from datetime import tzinfo

    from fastapi import Request

    from mombus.desk.question import Question

LOADER = PackageLoader("mombus.web")


@cache
def _templates(zone: tzinfo) -> Environment:
    """The templates, which tell times as clocks show them in `zone`."""
    made = Environment(loader=LOADER, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(
        age=age, clock=partial(clock, zone=zone), day=partial(day, zone=zone), laid_out=laid_out, lasted=lasted,
        lately=partial(lately, zone=zone), moment=moment, percent=percent, size=size, span=span, things=things,
        words=words,
    )  # fmt: skip
    return made


def text(request: Request, template: str, **shown: Any) -> str:
    """A template with what it shows, as HTML text."""
    return _templates(zone_of(request)).get_template(template).render(**_around(request), **shown)


def zone_of(request: Request) -> tzinfo:
    """The plant's time zone: every time on its pages is told in it."""
    zone: tzinfo = request.app.state.zone
    return zone


def page(request: Request, template: str, *, status_code: int = 200, **shown: Any) -> HTMLResponse:
    """A whole page."""
    return HTMLResponse(text(request, template, **shown), status_code)


def done(path: str) -> RedirectResponse:
    """After a form: go and see the page at `path`, so that loading it again doesn't send the form again."""
    return RedirectResponse(path, 303)


def told(request: Request, path: str, text: str) -> RedirectResponse:
    """After a deed: the same, and the page at `path` says what came of it."""
    visit_of(request).telling.tell(text)
    return done(path)


def _around(request: Request) -> dict[str, Any]:
    """What every page shows: where it is, of which site, who looks at it, and what belongs into its forms."""
    state, visit = request.app.state, visit_of(request)
    entries = [entry for entry in state.menu if visit.person.roles and entry.open_to(visit.person)]

    def may(question: Question) -> bool:
        """Whether the person may ask that."""
        return bool(visit.person.roles & question.roles)

    def link(page: str, name: str, id: str = "") -> Markup:
        """A name that leads to `page` about it, or about `id`, if there is such a page."""
        if all(entry.path != page for entry in entries):
            return escape(name)
        return Markup('<a href="{}/{}">{}</a>').format(page, quote(id or name, safe=""), name)

    return {
        "menu": entries, "here": request.url.path, "site": state.site, "zone": state.zone, "version": __version__,
        "person": visit.person, "signed_in": visit.signed_in, "may": may, "link": link,
        "csrf_field": lambda: _csrf_field(TOKEN if getattr(request.state, "shared", False) else visit.csrf),
        "told": visit.telling.told,
    }  # fmt: skip


def _csrf_field(token: str) -> Markup:
    """The hidden field by which a form is known to be ours."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(token)


def live(request: Request, render: Callable[[], Awaitable[str]]) -> StreamingResponse:
    """A page's live part as server-sent events, whenever it has changed.

    It is rendered for all who look at this address with the same roles: nothing in it may be about the person alone.
    """
    visit = visit_of(request)
    visit.begun()  # its forms may be the first that this browser gets
    request.state.shared = True
    what = (str(request.url), visit.person.roles)
    stream = events(request.app.state.live, request, what, render)
    return StreamingResponse(stream, media_type="text/event-stream")
