"""The pages and the API over a real journal, with people who sign in; nothing of the bus."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from mombus.config.model import Http
from mombus.desk.access import AddPerson
from mombus.desk.question import NoAnswerError, Role
from mombus.hub.desk.auditing import Auditing
from mombus.hub.desk.own_password import OwnPassword
from mombus.hub.desk.people import People
from mombus.hub.desk.signing_in import SigningIn
from mombus.hub.desk.topic import understood
from mombus.hub.desk.trying import Trying
from mombus.journal import audit
from mombus.journal.journal import Journal
from mombus.web.access.sessions import REMEMBERED_S
from mombus.web.app import make_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from fastapi import FastAPI

    from mombus.desk.question import Asked, Question

PASSWORD = "correct horse battery"
HERE = "http://localhost"


class JournalDesk:
    """Answers what is about people, from a journal; everything else is empty. `away` is why it doesn't answer."""

    def __init__(self, journal: Journal, http: Http) -> None:
        self.journal = journal
        self.trying = Trying()
        self.people, self.signing_in = People(journal), SigningIn(journal, http, self.trying)
        self.asked: list[str] = []
        self.away = ""
        self._answers = {
            question.name: answer
            for topic in (self.people, self.signing_in, OwnPassword(journal, self.trying), Auditing(journal))
            for question, answer in topic.answers().items()
        }

    async def ask(self, question: Question, asked: Asked) -> Any:
        if self.away:
            raise NoAnswerError(self.away)
        self.asked.append(question.name)
        said = asked.model_dump(mode="json", exclude_none=True)
        answer = self._answers.get(question.name)
        return await answer(understood(question, said)) if answer else []

    async def ready(self) -> dict[str, str]:
        return {"broker": "10.0.0.5 doesn't answer"}

    async def metrics(self) -> str:
        return "mombus_up 1\n"


class Housed:
    """The application, and browsers that come to it."""

    def __init__(self, app: FastAPI, desk: JournalDesk) -> None:
        self.app, self.desk = app, desk
        self._now = 0.0
        app.state.sessions._clock = lambda: self._now

    def browser(self, url: str = HERE, address: str = "127.0.0.1") -> httpx.AsyncClient:
        """A browser of its own."""
        transport = httpx.ASGITransport(self.app, client=(address, 4711))
        return httpx.AsyncClient(transport=transport, base_url=url, headers={"accept": "text/html"})

    async def add(self, name: str, *roles: Role) -> None:
        """Another person, with PASSWORD."""
        asked = AddPerson(who="ada", why="new here", name=name, roles=frozenset(roles), password=PASSWORD)
        await self.desk.people.add(asked)

    async def deeds(self) -> list[audit.Noted]:
        """The audit trail, newest first."""
        return list(await self.desk.journal.survey(audit.deeds))

    def forget(self) -> None:
        """Let the few seconds pass for which it is remembered who is who."""
        self._now += REMEMBERED_S


async def csrf(http: httpx.AsyncClient, path: str = "/sign-in") -> str:
    """What the forms of a page hold."""
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', (await http.get(path)).text)
    assert found, "the page has no form"
    return found.group(1)


async def sign_in(
    http: httpx.AsyncClient, name: str = "ann", password: str = PASSWORD, next: str = "/people"
) -> httpx.Response:
    """Fill in the form."""
    form = {"csrf": await csrf(http), "name": name, "password": password, "next": next}
    return await http.post("/sign-in", data=form, headers={"origin": str(http.base_url).rstrip("/")})


@asynccontextmanager
async def housed(folder: Path, token: str | None = None, **http: Any) -> AsyncIterator[Housed]:
    """It, with nobody yet."""
    journal = await Journal.open(f"sqlite:///{folder / 'journal.db'}")
    try:
        declared = Http(**http)
        desk = JournalDesk(journal, declared)
        yield Housed(make_app(desk, {}, token, accounts=True, oidc=declared.oidc), desk)
    finally:
        await journal.close()
