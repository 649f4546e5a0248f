"""`mombus replay --what-if`: history through edited routes, compared with today's. Nothing is sent."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import typer

from mombus.cli.asking import HubError, asked, the_hub
from mombus.cli.check import load_or_exit
from mombus.cli.exits import Exit
from mombus.cli.showing import printable
from mombus.hub.note import NoHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from canonical.message import Message
    from mombus.config.model import Config
    from mombus.hub.note import Note

MARKS = {"added": "+", "removed": "-", "changed": "~", "refused": "!", "stuck": "!"}


def what_if(
    others: list[Path], today: list[Path] | None, selection: Mapping[str, Any], *, folder: Path | None, as_json: bool
) -> tuple[int, int]:
    """Compare, print the counts and then each difference.

    Returns the exit code (0: no difference; 2: some; 78: bad configuration) and how many messages there were."""
    now, other = load_or_exit(today), load_or_exit(others)
    with TemporaryFile("w+", encoding="utf-8") as rows:
        try:
            counts = asyncio.run(_compared(the_hub(folder), now, other, dict(selection), rows))
        except (NoHub, HubError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(Exit.FINDINGS) from None
        rows.seek(0)
        (_print_json if as_json else _print)(counts, map(json.loads, rows))
    return Exit.CHANGES if counts["different"] else Exit.OK, counts["messages"]


async def _compared(note: Note, now: Config, other: Config, selection: dict[str, Any], rows: IO[str]) -> dict[str, Any]:
    """Write each difference to `rows`, a line of JSON each, and return the counts."""
    from mombus.hub.replay.what_if import Routes, differences  # noqa: PLC0415 - heavy

    counts: dict[str, Any] = {"messages": 0, "different": 0, "by": {}}
    before, after = Routes(now), Routes(other)
    async for seq, message in _history(note, selection):
        found = differences(before.verdict(message), after.verdict(message))
        counts["messages"] += 1
        counts["different"] += bool(found)
        for change in found:
            by = counts["by"].setdefault(change.target or message.source, Counter())
            by[change.what.value] += 1
            rows.write(json.dumps(_row(seq, message, change)) + "\n")
    return counts


async def _history(note: Note, selection: dict[str, Any]) -> AsyncIterator[tuple[int | None, Message]]:
    """What is selected, part by part, and what is refused today because its source doesn't own it."""
    from mombus.bus.connection import connect  # noqa: PLC0415 - heavy
    from mombus.bus.errors import BusError  # noqa: PLC0415
    from mombus.hub.replay.history import read  # noqa: PLC0415

    after = 0
    try:
        async with connect(
            note.broker, token=note.token, credentials=_path(note.credentials), ca=_path(note.ca)
        ) as bus:
            while seqs := await asked(note, "replay_page", {"selection": selection, "after": after}):
                for seq, message in await read(bus, seqs):
                    yield seq, await bus.whole(message)
                after = seqs[-1]
    except BusError as error:
        raise HubError(f"history can't be read: {error}") from error
    async for row in _disagreements(note):
        if _fits(row, selection):
            shown = await asked(note, "disagreements_show", {"number": row["number"]})
            if shown["said"] is not None:
                yield None, _said(row, shown["said"], note.site)


async def _disagreements(note: Note) -> AsyncIterator[Mapping[str, Any]]:
    """All that aren't closed, page by page."""
    for standing in ("open", "tolerated"):
        listed = await asked(note, "disagreements", {"standing": standing})
        while True:
            for row in listed["rows"]:
                yield row
            if not listed["more"]:
                break
            before = {"before": listed["rows"][-1]["number"]}
            listed = await asked(note, "disagreements", {"standing": standing, **before})


def _said(row: Mapping[str, Any], said: Any, site: str) -> Message:
    """What somebody says who isn't the owner, as the message it was."""
    from canonical.message import Message  # noqa: PLC0415
    from canonical.objects import data_object  # noqa: PLC0415

    at = datetime.fromisoformat(row["last_seen"])
    body = data_object(row["object"]).body.model_validate_json(json.dumps(said))
    return Message.of(row["object"], body, source=row["system"], site=site, key=row["key"], occurred=at, recorded=at)


def _fits(row: Mapping[str, Any], selection: Mapping[str, Any]) -> bool:
    """True if a disagreement is about what is selected by object, key and source; other selections leave it out."""
    names = {"object": "object", "key": "key", "source": "system"}
    if any(name not in {*names, "time"} for name in selection):
        return False
    return all(row[names[name]] in selection[name] for name in names if name in selection)


def _row(seq: int | None, message: Message, change: Any) -> dict[str, Any]:
    from canonical.objects import shown_key  # noqa: PLC0415

    return {
        "seq": seq, "id": message.id, "object": message.object, "key": shown_key(message.object, message.key),
        "revision": message.revision, "source": message.source, "occurred": message.occurred.isoformat(),
        "lane": message.lane, "target": change.target, "difference": change.what.value,
        "details": list(change.details),
    }  # fmt: skip


def _print_json(counts: Mapping[str, Any], rows: Iterator[dict[str, Any]]) -> None:
    """One JSON object, row by row: a week of differences needs no memory."""
    sys.stdout.write(json.dumps({**counts, "rows": []})[:-2])
    for number, row in enumerate(rows):
        sys.stdout.write(f"{',' if number else ''}\n  {json.dumps(row, ensure_ascii=False)}")
    sys.stdout.write("]}\n")


def _print(counts: Mapping[str, Any], rows: Iterator[dict[str, Any]]) -> None:
    print_line(f"{counts['messages']} messages, {counts['different']} would be different. Nothing was sent.")
    for name, by in counts["by"].items():
        print_line(f"  {name}: {', '.join(f'{number} {what}' for what, number in by.items())}")
    before = None
    for row in rows:
        if row["id"] != before:
            revision = "" if row["revision"] is None else f" revision {row['revision']}"
            print_line(f"{row['object']} {row['key']}{revision}, said by {row['source']} {row['occurred']}")
            before = row["id"]
        print_line(f"  {MARKS.get(row['difference'], '*')} {row['target'] or ''} {row['difference']}".rstrip())
        for detail in row["details"]:
            print_line(f"      {detail}")


def print_line(text: str) -> None:
    """One line on stdout."""
    sys.stdout.write(f"{printable(text)}\n")


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
