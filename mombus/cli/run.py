"""`mombus run`: the hub, until Ctrl-C."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.check import DEFAULT, config_or_exit
from mombus.cli.exits import Exit
from mombus.cli.reloading import origin_of, reloading, with_credentials
from mombus.config.loader import load
from mombus.config.scrubbing import Scrubber

if TYPE_CHECKING:
    from mombus.config.model import Config
    from mombus.hub.changing.here import Origin
    from mombus.hub.hub import Hub
    from mombus.hub.parts import Parts


def run(
    files: Annotated[
        list[Path] | None, typer.Argument(help="The configuration and files laid over it. Default: routes.yaml")
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(help="Run this part only: connectors:erp[,mes], delivery, or web. Several times for several."),
    ] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="Credentials for the broker, as `mombus broker-config` wrote them.")
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Take over the configuration whenever its files change.")
    ] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Log every message; twice: all that can be logged.")
    ] = 0,
) -> int:
    """Run the hub, or parts of it, until Ctrl-C, which drains it. SIGHUP makes it read its configuration again.

    Exit code 0: stopped as asked; 1: a part of it failed; 64: no such part; 78: the configuration has errors.
    """
    from mombus.hub.parts import PartsError, parse_parts  # noqa: PLC0415 - only this command needs it

    try:
        parts = parse_parts(part or ())
        loaded = load(files or [DEFAULT], needs=parts.needs)
        config = with_credentials(config_or_exit(loaded), credentials)
        parts.check(config)
    except PartsError as error:
        typer.echo(f"mombus: {error}", err=True)
        return Exit.USAGE
    scrubber = Scrubber.of(config)
    set_up_logging(scrubber, verbose=verbose)
    try:
        return asyncio.run(_run(
            config, parts, origin_of(files, parts.needs, credentials, loaded, scrubber), watch=reload
        ))  # fmt: skip
    except Exception as error:  # noqa: BLE001 - a bug: shown as Python does, without secrets
        typer.echo(scrubber.text("".join(traceback.format_exception(error))), err=True)
        return Exit.FINDINGS


LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class _Scrubbed(logging.Formatter):
    """What libraries log, tracebacks included, without secrets."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__(logging.BASIC_FORMAT)
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        return self._scrubber.text(super().format(record))


def set_up_logging(scrubber: Scrubber, *, verbose: int = 0, quiet: bool = False) -> None:
    """Logs go to stderr without secrets, one line each: for people on a terminal, as JSON elsewhere.

    `quiet`: only what the hub itself can't do.
    """
    import structlog  # noqa: PLC0415 - only a running hub logs

    level = logging.ERROR if quiet else LEVELS[min(verbose, len(LEVELS) - 1)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Scrubbed(scrubber))
    logging.basicConfig(level=logging.ERROR, handlers=[handler])
    logging.getLogger("mqtt").setLevel(logging.ERROR)
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"), structlog.processors.format_exc_info, scrubber.log,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr), cache_logger_on_first_use=True,
    )  # fmt: skip


def when_asked_to_stop() -> asyncio.Event:
    """Set by Ctrl-C and by SIGTERM."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    return asked


async def run_until(asked: asyncio.Event, hub: Hub) -> None:
    """Let the hub run until asked to stop. Raises what made one of its parts end."""
    from mombus.hub.cycles import look_rarely  # noqa: PLC0415 - only where a hub runs

    look_rarely()
    running, stopping = asyncio.create_task(hub.run()), asyncio.create_task(asked.wait())
    done, _ = await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    if running in done:
        running.result()


async def _run(config: Config, parts: Parts, origin: Origin, *, watch: bool) -> int:
    from mombus.bus.errors import BusError  # noqa: PLC0415 - heavy, after the configuration was found good
    from mombus.delivery.reader import OtherStream  # noqa: PLC0415
    from mombus.hub.hub import open_hub  # noqa: PLC0415
    from mombus.hub.server import AddressInUse  # noqa: PLC0415

    asked = when_asked_to_stop()
    try:
        async with open_hub(config, parts=parts, origin=origin) as hub, reloading(hub, watch=watch):
            what = "" if parts.whole else f" {parts}"
            typer.echo(f"mombus runs{what} for {config.plant.site}: {hub.url}", err=True)
            typer.echo("`mombus status` shows how it is, Ctrl-C stops it.", err=True)
            await run_until(asked, hub)
            typer.echo("Stopping: what is being written is finished, the rest stays stored.", err=True)
    except (BusError, AddressInUse, OtherStream, OSError) as error:
        typer.echo(Scrubber.of(config).text(f"mombus: {error}"), err=True)
        return Exit.FINDINGS
    return Exit.OK
