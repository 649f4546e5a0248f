"""`mombus demo`: the hub with a simulated plant around it, and a live table of every handover."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.check import config_or_exit
from mombus.cli.exits import Exit
from mombus.cli.run import run_until, set_up_logging, when_asked_to_stop
from mombus.cli.simulated import MARK, Simulated
from mombus.config.scrubbing import Scrubber

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from mombus.hub.hub import Hub

ORDER = "PO-4711"
ONCE_TIMEOUT_S = 120.0
LOOK_S = 0.5
USUAL_PORT = 8080


def demo(
    once: Annotated[bool, typer.Option("--once", help="Play one order at full speed, prove it and exit.")] = False,
    config: Annotated[Path, typer.Option("--config", help="The example plant's configuration.")] = Path("routes.yaml"),
    pace: Annotated[
        float | None, typer.Option(help="1 is live, 0.1 ten times as fast, 0 as fast as can be followed.")
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its data; emptied first.")] = Path(".mombus/demo"),
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print the numbers as JSON.")] = False,
) -> int:
    """Run the hub with a simulated packaging line and its systems, until Ctrl-C.

    Exit code 0: stopped as asked, and with --once all systems agree; 1: they don't, or a part failed.
    """
    if find_spec("plant") is None:
        typer.echo("The simulated plant isn't installed with the package: run the demo from a checkout.", err=True)
        return Exit.FINDINGS
    _empty(folder)
    speed = pace if pace is not None else 0.0 if once else 1.0
    play = partial(_demo, config.absolute(), folder, once=once, pace=speed, as_json=as_json)
    return asyncio.run(_on_a_free_port(play))


def _empty(folder: Path) -> None:
    """A demo begins anew; a folder that isn't a demo's is left alone."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        typer.echo(f"{folder} isn't a demo's folder: name another with --folder", err=True)
        raise typer.Exit(Exit.USAGE)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    (folder / MARK).touch()


async def _on_a_free_port(play: Callable[[int], Awaitable[int]]) -> int:
    """Play on the usual port if it is free, else on any; also when somebody takes it in the moment between."""
    from mombus.hub.server import AddressInUse  # noqa: PLC0415 - heavy

    try:
        return await play(_free_port(USUAL_PORT))
    except AddressInUse:
        return await play(_free_port())


async def _demo(path: Path, folder: Path, port: int, *, once: bool, pace: float, as_json: bool) -> int:
    from mombus.bus.errors import BusError  # noqa: PLC0415 - heavy
    from mombus.cli.live import LiveTable  # noqa: PLC0415
    from mombus.hub.changing.here import Origin  # noqa: PLC0415
    from mombus.hub.hub import open_hub  # noqa: PLC0415

    asked = when_asked_to_stop()
    async with simulated_plant(f"http://127.0.0.1:{port}", pace, orders=1 if once else 0) as urls:
        simulated = simulated_at(urls, folder, port, poll_s=0.2 if once else 2.0)
        simulated.leave()
        again = partial(simulated.load, [path])
        config = config_or_exit(again())
        table = LiveTable(config.plant.timezone, quiet=as_json)
        origin = Origin((path,), (), again)
        set_up_logging(Scrubber.of(config))
        try:
            async with open_hub(config, on_hop=table.hop, origin=origin) as hub:
                _say_where(hub, urls, folder, quiet=as_json)
                with table:
                    if once:
                        return await _prove(urls, asked, table, as_json=as_json)
                    await run_until(asked, hub)
        except BusError as error:
            typer.echo(f"mombus: {error}", err=True)
            return Exit.FINDINGS
    typer.echo("Stopped: everything that was being written is finished.", err=True)
    return Exit.OK


def _free_port(wanted: int = 0) -> int:
    """The port that is wanted if it is free, else any."""
    import socket  # noqa: PLC0415

    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")


def simulated_at(urls: Mapping[str, str], folder: Path, port: int, poll_s: float) -> Simulated:
    """A demo of the systems that are at `urls`, by their names in the example plant."""
    from plant.plant import USUAL  # noqa: PLC0415 - not installed with the package

    moved = {str(usual): urls[name] for name, usual in asdict(USUAL).items()}
    return Simulated(str(folder.absolute()), port, poll_s, moved)


@contextlib.asynccontextmanager
async def simulated_plant(hub: str, pace: float, orders: int) -> AsyncIterator[dict[str, str]]:
    """The simulated plant in a process of its own; yields where its systems are. Ctrl-C is the hub's alone."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "plant", "--die-with-parent", "--ports", "ephemeral", "--hub", hub, "--pace", str(pace),
        "--orders", str(orders), stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        line = await process.stdout.readline() if process.stdout else b""
        if not line:
            raise typer.Exit(Exit.FINDINGS)
        urls = json.loads(line)
        urls.pop("pid", None)
        yield urls
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _say_where(hub: Hub, urls: Mapping[str, str], folder: Path, *, quiet: bool) -> None:
    if quiet:
        return
    typer.echo(f"mombus runs: open {hub.url}")
    typer.echo("Simulated systems: " + "  ".join(f"{name} {url}" for name, url in urls.items()))
    shown = "" if folder == Path(".mombus/demo") else f" --folder {folder}"
    typer.echo(f"In another terminal: mombus status{shown} · mombus journey {ORDER}{shown} · mombus waiting{shown}")
    typer.echo("Ctrl-C stops it.\n")


async def _prove(urls: Mapping[str, str], asked: asyncio.Event, table: Any, *, as_json: bool) -> int:
    """Wait until all systems tell the same, or say where they differ."""
    from plant.proof import differences, numbers  # noqa: PLC0415 - not installed with the package

    loop = asyncio.get_running_loop()
    deadline = loop.time() + ONCE_TIMEOUT_S
    found: dict[str, Any] = {}
    wrong = ["nothing was read yet"]
    while wrong and loop.time() < deadline and not asked.is_set():
        await asyncio.sleep(LOOK_S)
        found = await numbers(urls, ORDER)
        wrong = differences(found)
    table.stop()
    if as_json:
        sys.stdout.write(json.dumps({"agree": not wrong, "differences": wrong, "numbers": found}, indent=2) + "\n")
    else:
        _summarise(found, wrong)
    return Exit.FINDINGS if wrong else Exit.OK


def _summarise(found: Mapping[str, Any], wrong: list[str]) -> None:
    from mombus.cli.showing import print_table  # noqa: PLC0415

    typer.echo(f"\nWhat each system says about {ORDER}, read from it over its own protocol:")
    rows = [(name, _flat(found[name])) for name in ("line1", "mes", "erp", "qms", "cmms", "wms")]
    print_table(("system", "received and posted"), rows, empty="")
    if wrong:
        typer.echo("\nThey differ:")
        for line in wrong:
            typer.echo(f"  ! {line}")
    else:
        typer.echo("\nAll systems agree: the ERP's numbers are the machine's.")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(inner)}" for key, inner in value.items() if inner not in ({}, [], None, ""))
    return " ".join(map(_flat, value)) if isinstance(value, list) else str(value)
