"""The message browser: what is on the bus, by what it is about and what became of it. Nothing before it's asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from mombus.bus.commands import UnknownNameError
from mombus.desk.messages import MESSAGES_SEARCH, MessageFilter, MessagesSearch, MessageState
from mombus.desk.question import Nothing, QuestionError
from mombus.desk.searches import (
    SEARCHES_DELETE,
    SEARCHES_LIST,
    SEARCHES_SAVE,
    SearchDelete,
    SearchesList,
    SearchSave,
)
from mombus.desk.status import STATUS
from mombus.web.asking import Ask, Asking
from mombus.web.forms import Form, understood
from mombus.web.pages import rendering
from mombus.web.pages.deeds import back
from mombus.web.pages.menu import Entry

router = APIRouter()
ENTRY = Entry("Messages", "/messages", icon="messages", order=40)
FIELDS = {
    "text": "Text", "since": "Since", "until": "Until", "key": "Key or id", "order": "Order", "lot": "Lot",
    "equipment": "Equipment", "material": "Material", "document": "Document", "ref": "Names OBJECT=ID",
    "attempts": "Tries, at least",
}  # fmt: skip
"""What is typed, with its label."""
CHOICES = {"object": "Object", "system": "System", "route": "Route", "state": "State"}
"""What is chosen."""
FIRST = frozenset({"object", "system", "state", "order", "key", "since", "text"})
"""What is always seen of the form."""
MANY = frozenset(name for name, field in MessageFilter.model_fields.items() if field.default == ())


@router.get("/messages")
async def page(request: Request, ask: Ask) -> Response:
    """The form, and with any question in the address a page of what fits."""
    said = said_in(request.query_params.multi_items())
    found, wrong = await _found(ask, said) if request.query_params else (None, None)
    searches = await ask(SEARCHES_LIST, SearchesList())
    return rendering.page(
        request, "messages.html", found=found,
        searches=[{**one, "query": query(one["search"])} for one in searches],
        where=f"/messages?{query(said)}" if said else "", wrong=wrong, said=said, fields=FIELDS, labels=CHOICES,
        choices=await choices(ask, said), now=datetime.now(UTC),
        more=bool(said.keys() & (FIELDS | CHOICES).keys() - FIRST), older=_older(said, found),
        hints={name: field.description for name, field in MessageFilter.model_fields.items()},
        status_code=422 if wrong else 200,
    )  # fmt: skip


def said_in(items: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What a form says: empty fields say nothing, and what may be given several times is a list."""
    said: dict[str, Any] = {}
    for name, value in items:
        if not value.strip():
            continue
        if name in MANY:
            said.setdefault(name, []).append(value.strip())
        else:
            said[name] = value.strip()
    return said


async def _found(ask: Asking, said: Mapping[str, Any]) -> tuple[Any, str | None]:
    """A page of messages, or why there is none."""
    try:
        return await ask(MESSAGES_SEARCH, MessagesSearch.model_validate(said)), None
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        return None, f"{(FIELDS | CHOICES).get(name, name)}: {first['msg']}"
    except (QuestionError, UnknownNameError) as error:
        return None, str(error)


async def choices(ask: Asking, said: Mapping[str, Any]) -> dict[str, list[str]]:
    """What may be chosen: what flows here, and what was chosen already."""
    status = await ask(STATUS, Nothing())
    flows = status["flows"]
    found = {
        "object": {row["object"] for row in flows},
        "system": {row["name"] for row in status["systems"]},
        "route": {f"{row['object']}>{row['target']}" for row in flows if row["target"]},
        "state": set(get_args(MessageState)),
    }
    for name, values in found.items():
        given = said.get(name, ())
        values.update([given] if isinstance(given, str) else given)
    return {name: sorted(values) for name, values in found.items()}


def query(said: Mapping[str, Any]) -> str:
    """A search as a part of an address."""
    return urlencode({name: value for name, value in said.items() if value}, doseq=True)


def _older(said: Mapping[str, Any], found: Mapping[str, Any] | None) -> str:
    """The query of the next page, empty if there is none."""
    if found is None or found["before"] is None:
        return ""
    return query({**said, "before": found["before"]})


@router.post("/messages/searches")
async def save(request: Request, ask: Ask, form: Form) -> Response:
    """Keep a search under a name, then show it."""
    said = said_in([one for one in form.multi_items() if one[0] in MessageFilter.model_fields])
    wanted = understood(SearchSave, {"name": form.get("name", ""), "search": said, "shared": "shared" in form})
    await ask(SEARCHES_SAVE, wanted)
    return rendering.told(request, f"/messages?{query(said)}", f"Saved as {wanted.name}.")


@router.post("/messages/searches/delete")
async def delete(request: Request, ask: Ask, form: Form) -> Response:
    """Forget one of one's own searches."""
    wanted = understood(SearchDelete, {"name": form.get("name", "")})
    await ask(SEARCHES_DELETE, wanted)
    return rendering.told(request, back(form, "/messages"), f"{wanted.name} is forgotten.")
