"""`mombus tap`: what is said on the bus, as it is said."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from canonical.objects import shown_key
from mombus.cli.asking import Folder, HubError, Json, UnknownNameError, on_line, the_hub
from mombus.cli.exits import Exit
from mombus.cli.showing import printable
from mombus.config.duration import duration
from mombus.hub.note import NoHub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PAUSE_S = 0.5
SAMPLE_S = 1.0
MOST_AT_ONCE = 200

Some = list[str] | None


def tap(
    object_: Annotated[Some, typer.Option("--object", "-o", help="Of this data object; may be given again.")] = None,
    key: Annotated[Some, typer.Option(help="About the thing, order or lot with this id.")] = None,
    system: Annotated[Some, typer.Option("--system", "-s", help="Said by this system, or going to it.")] = None,
    route: Annotated[str | None, typer.Option(help="By this route: OBJECT>TARGET.")] = None,
    verb: Annotated[Some, typer.Option(help="With this verb, such as sync.")] = None,
    signals: Annotated[bool, typer.Option("--signals", help="Also what machines say.")] = False,
    bodies: Annotated[bool, typer.Option("--bodies", help="With the bodies, of long ones the beginning.")] = False,
    sample: Annotated[
        int | None, typer.Option(min=1, max=MOST_AT_ONCE, help="At most so many a second, picked all over.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    since: Annotated[str | None, typer.Option(help="Begin with the last 30s, 5m, at most 1d.")] = None,
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
    try:
        asyncio.run(_watch(_messages(folder, question, sample), limit, as_json=as_json))
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


async def _watch(messages: AsyncGenerator[dict[str, Any]], limit: int | None, *, as_json: bool) -> None:
    shown = 0
    async with aclosing(messages):
        async for message in messages:
            _print(message, as_json=as_json)
            shown += 1
            if limit is not None and shown >= limit:
                return


async def _messages(folder: Any, question: dict[str, Any], sample: int | None) -> AsyncGenerator[dict[str, Any]]:
    async with on_line(the_hub(folder)) as ask:
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


def _print(message: dict[str, Any], *, as_json: bool) -> None:
    line = json.dumps(message, ensure_ascii=False) if as_json else _line(message)
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(message: dict[str, Any]) -> str:
    what = f"{message['verb']} {message['action']}" if message["action"] else message["verb"]
    way = f"{message['source']} → {', '.join(message['targets']) or 'bus'}"
    cells = (
        _clock(message["at"]), message["object"].ljust(20), what.ljust(12),
        printable(shown_key(message["object"], message["key"])).ljust(24), way.ljust(20), f"{message['size']} B",
        printable(message["document"] or message["reason"] or ""),
    )  # fmt: skip
    line = "  ".join(cells).rstrip()
    body = message["body"] and (message["body"]["text"] or message["body"]["missing"])
    return f"{line}\n    {printable(body)}" if body else line


def _clock(at: str) -> str:
    return datetime.fromisoformat(at).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _seconds(text: str) -> float:
    try:
        span = duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    return float(span.total_seconds())
