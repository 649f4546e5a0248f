"""`mombus user`: who may come in to the pages and the API, and as what."""

from __future__ import annotations

import sys
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mombus.cli.asking import Folder, Json, ask, whoami, zone_of
from mombus.cli.exits import Exit
from mombus.cli.showing import print_json, print_table, printable
from mombus.web.words import minute

if TYPE_CHECKING:
    from datetime import tzinfo

app = typer.Typer(
    help="Say who may come in to the pages and the API, and as what.",
    rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True,
)  # fmt: skip


class Role(StrEnum):
    """As `mombus.desk.question.Role`, without what that needs."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    PROCESS_OWNER = "process_owner"


Name = Annotated[str, typer.Argument(help="The account's name.")]
Roles = Annotated[list[Role], typer.Option("--role", help="What they may do; give it once for each role.")]
Why = Annotated[str, typer.Option("--why", help="Why: kept in the audit trail.")]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. Default: you, by your login name.")]
BY_COMMAND = "by command"


@app.command("add")
def add(
    name: Name, role: Roles, why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False
) -> int:
    """Make an account. Its password is asked for, or read from the first line of stdin.

    The first account must be an engineer's: from then on everybody signs in, and engineers manage accounts.
    """
    return _do(folder, "user_add", who, why, as_json, name=name, roles=_said(role), password=_password(name))


@app.command("list")
def everybody(folder: Folder = None, as_json: Json = False) -> int:
    """List accounts, and the sessions and tokens that let people in now."""
    said = ask(folder, "user_people")
    if as_json:
        print_json(said)
        return Exit.OK
    zone = zone_of(folder)
    people = (
        (one["name"], ", ".join(one["roles"]), "disabled" if one["disabled"] else "", minute(one["since"], zone))
        for one in said["people"]
    )
    empty = "No account yet: `mombus user add NAME --role engineer` makes the first one."
    print_table(("account", "roles", "", f"since ({zone})"), people, empty=empty)
    if said["passes"]:
        sys.stdout.write("\n")
        columns = ("id", "kind", "of", "roles", f"used ({zone})", f"ends ({zone})", "from")
        print_table(columns, (_pass(one, zone) for one in said["passes"]), empty="")
    return Exit.OK


@app.command("roles")
def roles(
    name: Name, role: Roles, why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False
) -> int:
    """Give an account other roles, those that are named here alone. Its sessions and tokens end."""
    return _do(folder, "user_roles", who, why, as_json, name=name, roles=_said(role))


@app.command("password")
def password(name: Name, why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False) -> int:
    """Give an account another password, asked for or read from stdin. Its sessions end."""
    return _do(folder, "user_password", who, why, as_json, name=name, password=_password(name))


@app.command("disable")
def disable(name: Name, why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False) -> int:
    """Let nobody in with this account until it is enabled again. Its sessions and tokens end."""
    return _do(folder, "user_disable", who, why, as_json, name=name)


@app.command("enable")
def enable(name: Name, why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False) -> int:
    """Let a disabled account in again."""
    return _do(folder, "user_enable", who, why, as_json, name=name)


@app.command("remove")
def remove(name: Name, why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False) -> int:
    """Take an account away. What was done under its name stays in the audit trail."""
    return _do(folder, "user_remove", who, why, as_json, name=name)


@app.command("token")
def token(
    name: Name, role: Roles,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How long it lets in.")] = 90,
    purpose: Annotated[str, typer.Option("--for", help="What it is for, as `user list` shows it.")] = "",
    why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False,
) -> int:  # fmt: skip
    """Make a token for a program that works in this account's name. It is shown only now; the hub keeps its hash."""
    made = f"mombus_{token_urlsafe(32)}"
    told = ask(
        folder, "user_token", who=who or whoami(), why=why, name=name, roles=_said(role), days=days, purpose=purpose,
        token=sha256(made.encode()).hexdigest(),
    )  # fmt: skip
    if as_json:
        print_json({**told, "token": made})
        return Exit.OK
    typer.echo(made)
    typer.echo(
        f"\n{printable(told['text'])}. It is shown only now; programs show it as `Authorization: Bearer …`.", err=True
    )
    return Exit.OK


@app.command("end")
def end(
    id: Annotated[str | None, typer.Argument(help="A session's or token's id, as `user list` shows it.")] = None,
    everything_of: Annotated[str | None, typer.Option("--all-of", help="All of this person.")] = None,
    why: Why = BY_COMMAND, who: Who = None, folder: Folder = None, as_json: Json = False,
) -> int:  # fmt: skip
    """End a session or token, or all of a person, also of one who signed in with an identity provider."""
    if (id is None) == (everything_of is None):
        typer.echo("say which one by its id (`mombus user list`), or --all-of NAME", err=True)
        return Exit.USAGE
    if id is not None:
        return _do(folder, "user_end", who, why, as_json, id=id)
    return _do(folder, "user_end_all", who, why, as_json, name=everything_of)


def _do(folder: Path | None, command: str, who: str | None, why: str, as_json: bool, /, **asked: Any) -> int:
    told = ask(folder, command, who=who or whoami(), why=why, **asked)
    if as_json:
        print_json(told)
    else:
        typer.echo(printable(told["text"]))
    return Exit.OK


def _password(name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"Password for {name}", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\n")


def _said(roles: list[Role]) -> list[str]:
    return sorted({str(role) for role in roles})


def _pass(one: dict[str, Any], zone: tzinfo) -> tuple[str, ...]:
    roles = "all" if one["roles"] is None else ", ".join(one["roles"])
    used, ends = (minute(one[name], zone) for name in ("used", "ends"))
    return one["id"], one["kind"], one["name"], roles, used, ends, one["origin"]
