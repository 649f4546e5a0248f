"""`mombus tap`: what is said on the bus, as it is said."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from canonical.objects import shown_key
from mombus.cli.asking import Folder, HubError, Json, UnknownNameError, on_line, the_hub, zone_of
from mombus.cli.completing import object_names, route_names, system_names
from mombus.cli.exits import Exit
from mombus.cli.showing import printable
from mombus.config.duration import duration
from mombus.hub.note import NoHub
from mombus.web.words import split_second

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from datetime import tzinfo

    Ask: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[Any]]

PAUSE_S = 0.5
SAMPLE_S = 1.0
MOST_AT_ONCE = 200
MOST_SAVED = 20
TRIES = 10

Some = list[str] | None


def tap(
    object_: Annotated[
        Some,
        typer.Option("--object", "-o", help="Of this data object; may be given again.", autocompletion=object_names),
    ] = None,
    key: Annotated[Some, typer.Option(help="About the thing, order or lot with this id.")] = None,
    system: Annotated[
        Some, typer.Option("--system", "-s", help="Said by this system, or going to it.", autocompletion=system_names)
    ] = None,
    route: Annotated[
        str | None, typer.Option(help="By this route: 'OBJECT>TARGET'.", autocompletion=route_names)
    ] = None,
    verb: Annotated[Some, typer.Option(help="With this verb, such as sync.")] = None,
    signals: Annotated[bool, typer.Option("--signals", help="Also what machines say.")] = False,
    bodies: Annotated[bool, typer.Option("--bodies", help="With the bodies, of long ones the beginning.")] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, max=MOST_AT_ONCE, help="At most so many a second, picked all over.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    since: Annotated[str | None, typer.Option(help="Begin with the last 30s, 5m, at most 1d.")] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save-as-test", help="Write a masked route test of what is shown: one message, or --limit."),
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """Watch what is said on the bus, as it is said: from whom, about what, to whom. Ctrl-C ends it.

    The hub filters and samples, and holds nothing for who watches. With --json each line is one message.
    """
    question: dict[str, Any] = {
        "object": object_ or [], "key": key or [], "system": system or [], "route": route, "verb": verb or [],
        "signals": signals, "bodies": bodies, "spread": sample is not None,
    }  # fmt: skip
    question = {name: value for name, value in question.items() if value not in (None, [], False)}
    if since is not None:
        question["since_s"] = _seconds(since)
    if save is not None:
        limit = _checked(save, limit)
    try:
        asyncio.run(_tap(folder, question, sample=sample, limit=limit, save=save, as_json=as_json))
    except UnknownNameError as error:
        typer.echo(str(error), err=True)
        return Exit.USAGE
    except (NoHub, HubError) as error:
        typer.echo(str(error), err=True)
        return Exit.FINDINGS
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return Exit.OK
    return Exit.OK


async def _tap(
    folder: Path | None, question: dict[str, Any], *, sample: int | None, limit: int | None, save: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    zone = zone_of(folder)
    async with on_line(the_hub(folder)) as ask:
        shown = await _watch(_messages(ask, question, sample), zone, limit, as_json=as_json)
        if save is not None:
            await _save(ask, shown, save)


async def _save(ask: Ask, ids: list[str], file: Path) -> None:
    """A message that was just said is known by its id in a second."""
    for again in range(TRIES, -1, -1):
        try:
            case = await ask("messages_case", {"ids": ids})
            break
        except UnknownNameError:
            if not again:
                raise
            await asyncio.sleep(PAUSE_S)
    try:
        await asyncio.to_thread(file.write_text, case["text"], encoding="utf-8")
    except OSError as error:
        raise HubError(f"{file} can't be written: {error.strerror}") from None
    typer.echo(f"Wrote {file}, with pseudonyms for {case['masked']}. Play it: mombus test {file}", err=True)


def _checked(file: Path, limit: int | None) -> int:
    """How many messages the test is made of. Raises BadParameter."""
    wrong = ""
    if not file.name.endswith(".test.yaml"):
        wrong = f"route tests are in files such as {file.name.partition('.')[0] or 'saved'}.test.yaml"
    elif file.exists():
        wrong = f"{file} is there already: name another one"
    elif not file.parent.is_dir():
        wrong = f"there is no folder {file.parent}"
    elif limit is not None and limit > MOST_SAVED:
        wrong = f"a test is made of {MOST_SAVED} messages at most"
    if wrong:
        raise typer.BadParameter(wrong, param_hint="--save-as-test")
    return limit or 1


async def _watch(
    messages: AsyncGenerator[dict[str, Any]], zone: tzinfo, limit: int | None, *, as_json: bool
) -> list[str]:
    """Print what comes, up to a limit; returns the ids, where there is one."""
    shown: list[str] = []
    async with aclosing(messages):
        async for message in messages:
            _print(message, zone, as_json=as_json)
            if limit is not None:
                shown.append(message["id"])
                if len(shown) >= limit:
                    break
    return shown


async def _messages(ask: Ask, question: dict[str, Any], sample: int | None) -> AsyncGenerator[dict[str, Any]]:
    asked = {**question, "most": sample or MOST_AT_ONCE}
    while True:
        part = await ask("messages_tap", asked)
        for message in part["messages"]:
            yield message
        if part["left_out"]:
            typer.echo(f"… {part['left_out']} more went by", err=True)
        asked.pop("since_s", None)
        asked["after"] = part["after"]
        if sample is not None or not part["more"]:
            await asyncio.sleep(PAUSE_S if sample is None else SAMPLE_S)


def _print(message: dict[str, Any], zone: tzinfo, *, as_json: bool) -> None:
    line = json.dumps(message, ensure_ascii=False) if as_json else _line(message, zone)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(message: dict[str, Any], zone: tzinfo) -> str:
    what = f"{message['verb']} {message['action']}" if message["action"] else message["verb"]
    way = f"{message['source']} → {', '.join(message['targets']) or 'bus'}"
    cells = (
        split_second(message["at"], zone), message["object"].ljust(20), what.ljust(12),
        printable(shown_key(message["object"], message["key"])).ljust(24), way.ljust(20), f"{message['size']} B",
        printable(message["document"] or message["reason"] or ""),
    )  # fmt: skip
    line = "  ".join(cells).rstrip()
    body = message["body"] and (message["body"]["text"] or message["body"]["missing"])
    return f"{line}\n    {printable(body)}" if body else line


def _seconds(text: str) -> float:
    try:
        span = duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    return float(span.total_seconds())
