"""Asks the running hub, over its own bus."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.exits import Exit
from mombus.hub.note import NoHub, Note, find

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from zoneinfo import ZoneInfo

    from nats.aio.client import Client

FOLDERS = (Path(".mombus"), Path(".mombus/demo"))
TIMEOUT_S = 10.0

Folder = Annotated[
    Path | None,
    typer.Option("--folder", envvar="MOMBUS_FOLDER", help="The hub's folder. Default: .mombus, then .mombus/demo"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class HubError(Exception):
    """The hub answered that it can't."""


class UnknownNameError(HubError):
    """The question names something that isn't there."""


def ask(folder: Path | None, name: str, /, *, at: str | None = None, **question: Any) -> Any:
    """The hub's answer to a command; `at` names one of several hubs.

    Prints why and exits when there is none: with 64 when the question names what isn't there, else with 1.
    """
    try:
        note = the_hub(folder)
        return asyncio.run(asked(note, name, question, at))
    except UnknownNameError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from None
    except (NoHub, HubError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.FINDINGS) from None


def name_of(folder: Path | None) -> str | None:
    """The name of the hub in that folder, among several that share a journal: to ask it and no other."""
    try:
        return the_hub(folder).hub
    except NoHub:
        return None


@contextmanager
def going_on(advice: str) -> Iterator[None]:
    """Around watching what the hub does: Ctrl-C ends the watching only, and the hub's work is named."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\nNot watched any more; it goes on in the hub. {advice}", err=True)
        raise typer.Exit(Exit.INTERRUPTED) from None


def whoami() -> str:
    """Who is recorded for what is done from this command line."""
    return getpass.getuser()


def why_of(given: str | None) -> str:
    """Why something is done: what was given, else what a person answers. Exits with 64 when nobody is there to."""
    if given:
        return given
    try:
        said: str = typer.prompt("Why", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        typer.echo('\nsay why, as in --why "the pump was changed": it is kept in the audit trail', err=True)
        raise typer.Exit(Exit.USAGE) from None
    return said


def the_hub(folder: Path | None) -> Note:
    """Where the hub is. Raises NoHub."""
    return find(home_of(folder))


def home_of(folder: Path | None) -> Path:
    """The folder of the hub that runs. Raises NoHub."""
    errors: list[NoHub] = []
    for candidate in (folder,) if folder else FOLDERS:
        try:
            find(candidate)
        except NoHub as error:
            errors.append(error)
        else:
            return candidate
    raise errors[0]


def zone_of(folder: Path | None) -> ZoneInfo:
    """The time zone of the hub's plant, in which times are shown and understood. Exits with 1 when no hub runs."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only who shows times needs it

    try:
        return ZoneInfo(the_hub(folder).timezone)
    except NoHub as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(Exit.FINDINGS) from None


async def asked(note: Note, name: str, question: dict[str, Any], at: str | None = None) -> Any:
    """The hub's answer to a command. Raises HubError."""
    async with on_line(note) as ask_hub:
        return await ask_hub(name, question, at)


@asynccontextmanager
async def on_line(note: Note) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Stay connected, to ask several things: called as `asked` is, without the note. Raises HubError."""
    import nats  # noqa: PLC0415 - heavy, only who asks needs it
    from nats.errors import Error  # noqa: PLC0415

    from mombus.bus.errors import BusError  # noqa: PLC0415
    from mombus.bus.login import login  # noqa: PLC0415

    async def quiet(_error: Exception) -> None:
        """Errors are raised where they belong."""

    try:
        client = await nats.connect(
            [server.strip() for server in note.broker.split(",")], allow_reconnect=False,
            connect_timeout=TIMEOUT_S, error_cb=quiet,
            **login(note.token, _path(note.credentials), _path(note.ca)),
        )  # fmt: skip
    except (Error, OSError, BusError) as error:
        raise HubError(f"the hub's broker doesn't answer: {str(error) or type(error).__name__}") from None
    try:
        yield partial(_answer, client, note)
    finally:
        await client.close()


async def _answer(client: Client, note: Note, name: str, question: dict[str, Any], at: str | None = None) -> Any:
    from nats.errors import Error  # noqa: PLC0415

    from mombus.bus.commands import command_subject  # noqa: PLC0415

    try:
        reply = await client.request(
            command_subject(note.site, name, at), json.dumps(question).encode(), timeout=TIMEOUT_S
        )
    except Error as error:
        reason = str(error) or type(error).__name__
        raise HubError(f"the hub doesn't answer: {reason}; `mombus status` tells more") from None
    answer = json.loads(reply.data)
    if "error" in answer:
        raise (UnknownNameError if answer.get("unknown") else HubError)(answer["error"])
    return answer["result"]


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
