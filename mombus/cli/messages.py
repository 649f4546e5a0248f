"""`mombus messages`: messages found by what they are about; `mombus searches`: what people look for often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, whoami, zone_of
from mombus.cli.exits import Exit
from mombus.cli.filters import (
    Attempts,
    Document,
    Equipment,
    Key,
    Lot,
    Material,
    Object,
    Order,
    Ref,
    Route,
    Saved,
    Since,
    Source,
    State,
    System,
    Target,
    Text,
    Until,
    Verb,
    given,
)
from mombus.cli.showing import print_json, print_table, printable
from mombus.web.words import day, span

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

COLUMNS = ("order", "lot", "equipment", "material", "document")
SHOWN_IDS = 2
MOST = 200
"""Messages in one answer of the hub."""


def messages(
    order: Order = None,
    lot: Lot = None,
    equipment: Equipment = None,
    material: Material = None,
    document: Document = None,
    ref: Ref = None,
    object: Object = None,
    verb: Verb = None,
    key: Key = None,
    source: Source = None,
    target: Target = None,
    system: System = None,
    route: Route = None,
    state: State = None,
    attempts: Attempts = None,
    text: Text = None,
    since: Since = None,
    until: Until = None,
    saved: Saved = None,
    save: Annotated[str | None, typer.Option("--save", help="Keep these filters under a name.")] = None,
    shared: Annotated[bool, typer.Option("--shared", help="With --save: for everybody.")] = False,
    before: Annotated[int | None, typer.Option("--before", help="Where the last page said the next begins.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MOST, help="Messages on a page.")] = 30,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """Find messages by what they are about, who said them, where they went and what became of them; newest first.

    Exit code 0: found; 1: nothing fits.
    """
    wanted = given(
        folder, saved, order=order, lot=lot, equipment=equipment, material=material, document=document, ref=ref,
        object=object, verb=verb, key=key, source=source, target=target, system=system, route=route, state=state,
        attempts=attempts, text=text, since=since, until=until,
    )  # fmt: skip
    if save:
        ask(folder, "searches_save", name=save, search=wanted, shared=shared, who=whoami())
        typer.echo(f"Saved as '{save}': `mombus messages --saved '{save}'` looks again.", err=True)
    page: dict[str, Any] = {"before": before} if before else {}
    found = ask(folder, "messages_search", **wanted, **page, limit=limit)
    if as_json:
        print_json(found)
    else:
        _show(found, zone_of(folder))
    return Exit.OK if found["messages"] else Exit.FINDINGS


def _show(found: Mapping[str, Any], zone: tzinfo) -> None:
    rows = found["messages"]
    ids = [name for name in COLUMNS if any(row[name] for row in rows)]
    shown = (
        (day(row["stored"], zone), row["object"], _verb(row), row["key"], *(_ids(row[name]) for name in ids),
         row["source"], _hops(row), span(row["delay_s"]), row["id"][:10])
        for row in rows
    )  # fmt: skip
    print_table(
        ("stored", "object", "verb", "key", *ids, "from", "to", "delay", "id"), shown, empty="Nothing fits."
    )  # fmt: skip
    for line in _told(found, zone):
        typer.echo(printable(line), err=True)


def _told(found: Mapping[str, Any], zone: tzinfo) -> list[str]:
    """How much there is, and how to go on."""
    lines = []
    number = len(found["messages"])
    if found["looked_back_to"]:
        back = day(found["looked_back_to"], zone)
        lines.append(f"Looked back to {back}. Go on from there with --before {found['before']}")
    elif found["before"]:
        known = f"{found['known']}" if found["complete"] else f"more than {number}"
        lines.append(f"{number} of {known}. The next ones: --before {found['before']}")
    if found["behind"]:
        lines.append(f"The index is {found['behind']} messages behind: the newest may be missing here.")
    return lines


def _verb(row: Mapping[str, Any]) -> str:
    return f"{row['verb']} {row['action']}" if row["action"] else str(row["verb"])


def _ids(ids: list[str]) -> str:
    more = f" +{len(ids) - SHOWN_IDS}" if len(ids) > SHOWN_IDS else ""
    return " ".join(ids[:SHOWN_IDS]) + more


def _hops(row: Mapping[str, Any]) -> str:
    """Where it went, and why it isn't there."""
    said = []
    for hop in row["hops"]:
        why = hop["reason"] if hop["state"] != "delivered" else hop["document"]
        said.append(f"{hop['target']}: {hop['state']}{f' ({why})' if why else ''}")
    return "; ".join(said)


def searches(
    delete: Annotated[str | None, typer.Option("--delete", help="Forget this one of yours.")] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> int:
    """List saved searches: yours, then what others share."""
    if delete:
        ask(folder, "searches_delete", name=delete, who=whoami())
        typer.echo(f"'{delete}' is deleted.", err=True)
        return Exit.OK
    rows = ask(folder, "searches_list", who=whoami())
    if as_json:
        print_json(rows)
        return Exit.OK
    shown = (
        (row["name"], "you" if row["mine"] else row["owner"], "everybody" if row["shared"] else "",
         ", ".join(f"{name} {_value(value)}" for name, value in row["search"].items()) or "everything")
        for row in rows
    )  # fmt: skip
    print_table(
        ("search", "of", "for", "finds"), shown, empty="None yet: `mombus messages … --save NAME` keeps one."
    )  # fmt: skip
    return Exit.OK


def _value(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)
