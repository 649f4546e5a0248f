"""`mombus broker-config`: a broker of one's own, on which every part and system has an account of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mombus.cli.check import load_or_exit
from mombus.cli.exits import Exit
from mombus.config.needs import NO_SECRET

if TYPE_CHECKING:
    from collections.abc import Sequence


def broker_config(
    files: Annotated[
        list[Path] | None, typer.Argument(help="The configuration and files laid over it. Default: routes.yaml")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write to; keys that are there stay.")] = Path("broker"),
    nkeys: Annotated[bool, typer.Option("--nkeys", help="Keys instead of passwords.")] = False,
    jwt: Annotated[bool, typer.Option("--jwt", help="Accounts signed by an operator, instead of passwords.")] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Make a certificate, signed by a local authority.")] = False,
    host: Annotated[
        list[str] | None,
        typer.Option(help="A name or address by which the broker is reached, for the certificate. Several times."),
    ] = None,
    listen: Annotated[str, typer.Option(help="Where the broker listens.")] = "127.0.0.1:4222",
    site: Annotated[list[str] | None, typer.Option(help="Another site, joined with this one. Several times.")] = None,
    tell: Annotated[list[str] | None, typer.Option(help="Let that site read what is stated here.")] = None,
    sites_listen: Annotated[str | None, typer.Option(help="Where other sites join, such as 0.0.0.0:7422.")] = None,
    join: Annotated[list[str] | None, typer.Option(help="Where the other site listens: tls://host:port.")] = None,
    join_login: Annotated[Path | None, typer.Option(help="keys/site-….login, as the other site wrote it.")] = None,
    join_ca: Annotated[Path | None, typer.Option(help="The ca.pem of the other site.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where it keeps its streams. Default: jetstream in --out.")] = None,
) -> int:
    """Write a nats-server configuration with one account per part and system, from the ownership table.

    Exit code 0: written; 64: it can't be written like that; 78: the configuration has errors.
    """
    from mombus.bus.accounts import AccountsError, accounts  # noqa: PLC0415 - only this command needs them
    from mombus.bus.broker_files import Proof, write_broker  # noqa: PLC0415
    from mombus.bus.site_lines import SiteLines  # noqa: PLC0415

    config = load_or_exit(files, NO_SECRET)
    if nkeys and jwt:
        typer.echo("mombus: --nkeys or --jwt, not both", err=True)
        return Exit.USAGE
    if not tls and not listen.startswith(("127.", "localhost:", "[::1]:")):
        typer.echo(f"mombus: {listen} can be reached from other machines: add --tls, or listen on loopback", err=True)
        return Exit.USAGE
    proof = Proof.JWT if jwt else Proof.NKEYS if nkeys else Proof.PASSWORDS
    folder, lines = out.absolute(), SiteLines(sites_listen, join or (), join_login, join_ca)
    try:
        found = accounts(config, site or (), tell or ())
        write_broker(folder, found, proof, listen=listen, store=store or folder / "jetstream", tls=tls, lines=lines)
    except (AccountsError, OSError) as error:
        typer.echo(f"mombus: {error}", err=True)
        return Exit.USAGE
    if tls:
        from mombus.bus.certificates import write_certificates  # noqa: PLC0415

        write_certificates(folder, host or _hosts(listen))
    _say(folder, listen, proof, found.natives, tls=tls)
    return Exit.OK


def _hosts(listen: str) -> list[str]:
    """By which names the broker is reached, when nobody says: this machine's own, and where it listens."""
    own = ["localhost", "127.0.0.1"]
    host = listen.rpartition(":")[0].strip("[]")
    return own if host in {*own, "", "0.0.0.0", "::", "*"} else [*own, host]  # noqa: S104 - nobody listens there


def _say(folder: Path, listen: str, proof: str, natives: Sequence[str], *, tls: bool) -> None:
    from mombus.bus.accounts import HUB, native_account  # noqa: PLC0415
    from mombus.bus.broker_files import CONFIGURATION, Proof, credentials_file  # noqa: PLC0415

    scheme, ca = ("tls", f", ca: {folder / 'ca.pem'}") if tls else ("nats", "")
    hub, erp = (folder / credentials_file(name, Proof(proof)) for name in (HUB, "<system>"))
    typer.echo(f"Start the broker:  nats-server -c {folder / CONFIGURATION}")
    typer.echo(f"In routes.yaml:    bus: {{broker: {scheme}://{listen}, credentials: {hub}{ca}}}")
    for name in natives:
        own = folder / credentials_file(native_account(name), Proof(proof))
        typer.echo(f"{name} connects with {own}, and its `credentials` in routes.yaml are {name}'s")
    typer.echo(f"A connector apart: mombus run --part connectors:<system> --credentials {erp}")
