"""The command `mombus`: a table of commands, each in a module of its own that is imported when it is used."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from mombus import __version__
from mombus.cli.exits import Exit
from mombus.cli.panels import panels

if TYPE_CHECKING:
    from collections.abc import Sequence


class Row(NamedTuple):
    """One command: its module in `mombus.cli`, the name in it (a Typer app or a function), its line in the help.

    `example` is what is typed after its name, as its own help shows it.
    """

    module: str
    name: str
    help: str
    example: str


COMMANDS: dict[str, Row] = {
    "demo": Row("demo", "demo", "Run the hub with a simulated packaging line around it.", "--pace 10"),
    "run": Row("run", "run", "Run the hub until Ctrl-C.", "routes.yaml prod.yaml"),
    "broker-config": Row(
        "broker_config", "broker_config", "Write the configuration of a broker with accounts.", "--tls --out broker"
    ),
    "check": Row("check", "check", "Check routes.yaml and every file it names.", "routes.yaml prod.yaml --strict"),
    "doctor": Row(
        "doctor", "doctor", "Look at everything a hub needs: ports, certificates, clocks, disk, broker.", "--json"
    ),
    "plan": Row(
        "plan", "plan", "Show what a configuration would change at the running hub.", "routes.yaml --out plan.json"
    ),
    "new": Row("new", "app", "Begin a plant's folder, a route, or a connector's package.", "plant lyon"),
    "test": Row("test", "test", "Play route tests: what becomes of what systems say.", "-k confirmation -v"),
    "apply": Row("apply", "apply", "Have the running hub take over a configuration.", "routes.yaml --why 'a new line'"),
    "status": Row("status", "status", "Show the systems, the flows and what needs a person.", "--watch"),
    "flows": Row("flows", "flows", "Show what is declared to go where, also for Mermaid and Graphviz.", "--mermaid"),
    "tap": Row("tap", "tap", "Watch what is said on the bus, as it is said.", "--object production_order --bodies"),
    "journey": Row("journey", "journey", "Show every hop of an order or lot, with delays.", "PO-4711"),
    "messages": Row("messages", "messages", "Find messages by what they are about.", "--order PO-4711 --state parked"),
    "export": Row(
        "export", "export", "Write messages as CSV or Parquet.", "orders.csv --object production_order --since 7d"
    ),
    "searches": Row("messages", "searches", "List saved searches of messages.", "--json"),
    "waiting": Row("waiting", "waiting", "List what waits, why, and what may be done.", "--target erp"),
    "release": Row("deciding", "release", "Let a waiting message go.", "erp 0a1b2c --why 'the period is open again'"),
    "retry": Row("deciding", "retry", "Try a waiting message now.", "--all --target erp --why 'it is back'"),
    "hold": Row("deciding", "hold", "Keep a waiting message until released.", "erp 0a1b2c --why 'planning asks'"),
    "skip": Row("deciding", "skip", "Never send a waiting message.", "erp 0a1b2c --why 'posted by hand'"),
    "sent": Row(
        "deciding",
        "sent",
        "Say that a message in doubt did take effect.",
        "erp 0a1b2c --why 'document 5000000001 is there'",
    ),
    "not-sent": Row(
        "deciding",
        "not_sent",
        "Say that a message in doubt did not take effect.",
        "erp 0a1b2c --why 'nothing is there'",
    ),
    "resume": Row("waiting", "resume", "Let a halted system work again.", "erp --why 'new password'"),
    "disagreements": Row(
        "disagreements", "app", "List who states something else than the owner; decide it.", "--object production_order"
    ),
    "kept": Row("waiting", "kept", "List what came in and could not be taken.", "--json"),
    "take": Row("deciding", "take", "Try a kept message again.", "0a1b2c --why 'the alias is there'"),
    "dismiss": Row("deciding", "dismiss", "Say that a kept item is dealt with.", "0a1b2c --why 'sent again by mail'"),
    "journal": Row("journal", "app", "Adopt the broker's streams after a wipe or restore.", "adopt"),
    "audit": Row("audit", "app", "Show what people did; verify the trail.", "--target erp"),
    "user": Row("user", "app", "Say who may come in, and as what.", "add a.smith --role operator"),
    "secret": Row("secret", "app", "Make a token or webhook secret.", "token wms"),
    "replay": Row(
        "replay",
        "app",
        "Send history to a target again, or see what would become of it.",
        "--order PO-4711 --to mes --dry-run",
    ),
    "bulk": Row("bulk", "bulk", "Show what was done to many at once.", "--json"),
    "connectors": Row("connectors", "connectors", "List the kinds of connectors and their fields.", "rest"),
    "schema": Row("schema", "schema", "Print the JSON Schema of routes.yaml or of a data object.", "production_order"),
    "docs": Row("docs", "docs", "Write the reference pages in docs/, or check them.", "--check"),
    "b2mml": Row("b2mml", "app", "Read, write and check B2MML documents.", "check order.xml"),
}
"""Every command. A function gets one command, a Typer app as many as it has."""


class LazyGroup(TyperGroup):
    """Lists the table without importing what it names; imports a command when it is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update({name: TyperCommand(name, help=row.help) for name, row in COMMANDS.items()})

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """By panel instead of in one long list."""
        limit = formatter.width - 6 - max(map(len, self.commands))
        for title, names in panels(self.list_commands(ctx)).items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit)) for name in names], 16)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command itself instead of its line in the table."""
        name, _, rest = super().resolve_command(ctx, args)
        return (name, _loaded(name), rest) if name else (name, None, rest)


app = typer.Typer(
    cls=LazyGroup,
    name="mombus",
    help="The ISA-95 bus between the systems of a factory.",
    epilog="Start with `mombus check`. Exit codes: 0 ok, 1 findings, 2 changes, 64 usage, 78 bad configuration.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"mombus {__version__}")
        raise typer.Exit


@app.callback()
def _mombus(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def run(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit. A command returns its exit code, None for 0."""
    given = list(sys.argv[1:] if args is None else args)
    if "--json" not in given:
        sys.exit(_code(given))
    from mombus.cli.failing import telling_in_json  # noqa: PLC0415 - only who wants JSON needs it

    with telling_in_json():
        sys.exit(_code(given))


def _code(args: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        plain: dict[str, Any] = {"color": False} if os.environ.get("NO_COLOR") else {}
        code = command.main(args, prog_name="mombus", standalone_mode=False, **plain)
    except typer.Abort:
        return Exit.INTERRUPTED
    except typer.TyperException as error:
        error.show()  # type: ignore[attr-defined]
        return Exit.USAGE
    return code if isinstance(code, int) else Exit.OK


def _loaded(name: str) -> Any:
    row = COMMANDS[name]
    found = getattr(import_module(f"mombus.cli.{row.module}"), row.name)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
        single.command(name)(found)
        found = single
    command: Any = typer.main.get_command(found)
    command.name = name
    command.epilog = f"Example: mombus {name} {row.example}"
    return command
