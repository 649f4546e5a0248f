"""`mombus secret`: makes credentials for the doors of systems that call the hub."""

from __future__ import annotations

from typing import Annotated

import typer

from connectors.door import new_signing_secret, new_token, token_hash
from mombus.cli.asking import Json
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json

app = typer.Typer(
    help="Make credentials for the doors of systems that call the hub.",
    rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True,
)  # fmt: skip

Name = Annotated[str, typer.Argument(help="Whom it is for: shown in what to do next.")]


@app.command("token")
def token(system: Name = "SYSTEM", as_json: Json = False) -> int:
    """Make a bearer token for a system, and its hash for `door: {tokens: [...]}`. The token is shown only now.

    It serves as a password for HTTP Basic as well: `door: {users: {NAME: HASH}}`.
    """
    made = new_token()
    hashed = token_hash(made)
    if as_json:
        print_json({"token": made, "hash": hashed})
        return Exit.OK
    typer.echo(made)
    typer.echo(
        f"\nThe token is shown only now: give it to {system}. In routes.yaml goes its hash, which is no secret:",
        err=True,
    )
    typer.echo(f"  {system}: {{door: {{tokens: ['{hashed}']}}}}", err=True)
    return Exit.OK


@app.command("webhook")
def webhook(system: Name = "SYSTEM", as_json: Json = False) -> int:
    """Make a secret for signed webhooks (Standard Webhooks), for both sides to keep."""
    made = new_signing_secret()
    if as_json:
        print_json({"secret": made})
        return Exit.OK
    typer.echo(made)
    name = f"{system.upper()}_WEBHOOK"
    typer.echo(f"\nGive it to {system}, and put it into the secret {name}. In routes.yaml:", err=True)
    typer.echo(f"  {system}: {{door: {{signatures: ['${{secret:{name}}}']}}}}", err=True)
    return Exit.OK
