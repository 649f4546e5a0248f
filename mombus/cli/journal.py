"""`mombus journal adopt`: the way on when journal and broker don't belong together any more."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.asking import Json
from mombus.cli.check import load_or_exit
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json
from mombus.config.needs import Needs

if TYPE_CHECKING:
    from mombus.config.model import Config
    from mombus.hub.store.adopting import Plan

app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def journal() -> None:
    """The hub's journal."""


@app.command("adopt")
def adopt(
    files: Annotated[
        list[Path] | None, typer.Argument(help="The configuration and files laid over it. Default: routes.yaml")
    ] = None,
    why: Annotated[str | None, typer.Option("--why", help="Why; kept in the audit trail.")] = None,
    who: Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")] = None,
    as_json: Json = False,
) -> int:
    """Let the journal go on with the broker's streams as they are, after one of them was wiped or restored.

    The hub must not run. Without --why it only shows what is wrong and what would be done. Exit code 0: they belong
    together now; 1: not yet, or it can't be told.
    """
    from mombus.bus.errors import BusError  # noqa: PLC0415 - heavy, after the configuration was found good

    config = load_or_exit(files, Needs(systems=frozenset()))
    try:
        return asyncio.run(_adopt(config, who, why, as_json=as_json))
    except (BusError, OSError) as error:
        typer.echo(f"mombus: {error}", err=True)
        return Exit.FINDINGS


async def _adopt(config: Config, who: str | None, why: str | None, *, as_json: bool) -> int:
    from mombus.hub.handovers import open_journals  # noqa: PLC0415
    from mombus.hub.hub import folder_of, open_bus  # noqa: PLC0415
    from mombus.hub.parts import EVERYTHING  # noqa: PLC0415
    from mombus.hub.store import adopting  # noqa: PLC0415 - heavy

    folder, site = folder_of(config), config.plant.site
    async with AsyncExitStack() as stack:
        bus = await open_bus(config, folder, stack, EVERYTHING)
        journal, _ = await open_journals(config, folder, stack)
        plan = await adopting.plan(bus, journal, site)
        (_print if as_json else _show)(plan)
        if plan.wrong is None:
            return Exit.OK
        if why is None:
            typer.echo("Nothing was done. Say --why, and the journal adopts the broker's streams like this.", err=True)
            return Exit.FINDINGS
        await adopting.adopt(bus, journal, site, plan, who=who, why=why)
    typer.echo(
        "Done, and noted in the audit trail. Start the hub; `mombus waiting` shows what a person must look at.",
        err=True,
    )
    return Exit.OK


def _print(plan: Plan) -> None:
    print_json({"wrong": plan.wrong, "places": [str(place) for place in plan.places]})


def _show(plan: Plan) -> None:
    typer.echo(plan.wrong or "Journal and broker belong together: there is nothing to adopt.")
    if plan.wrong is not None:
        for place in plan.places:
            typer.echo(f"  {place}")
