"""Who may come in: signing in, and the people who may. The hub looks at passwords; no hash of one leaves it.

What a browser or program shows is told by its SHA-256 alone: who overhears the bus can't use it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from mombus.desk.question import ENGINEERING, Asked, Deed, Nothing, Question, Role

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of what is shown.")]
AccountName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._@-]{0,63}$", description="An account's name.")]
Roles = Annotated[frozenset[Role], Field(min_length=1, description="What they may do.")]
Password = Annotated[str, Field(min_length=12, max_length=1000, description="12 characters or more.")]
PassId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$", description="A session's or token's id, as people see it.")]
RESERVED = frozenset({"local", "token", "nobody"})
"""Names that the audit trail has for others."""


class Shown(Asked):
    """What somebody shows: a session, a token, or nothing."""

    hash: Hash | None = None


class SignIn(Asked):
    """A name and password, and the session to begin if they fit."""

    name: str = Field(max_length=250)
    password: str = Field(max_length=1000)
    session: Hash
    address: str = Field(max_length=250, description="Where it comes from, for limits and the audit trail.")


class SignedOn(Asked):
    """Who an identity provider says it is, looked at by the pages; the session to begin."""

    name: str = Field(min_length=1, max_length=250)
    roles: Roles
    issuer: str = Field(max_length=500)
    session: Hash
    address: str = Field(max_length=250)


class TurnedAway(Asked):
    """Somebody whom the pages or the API didn't let in, or didn't let do something; for the audit trail."""

    who: str = Field(min_length=1, max_length=250)
    action: str = Field(max_length=64, description="What they wanted: a question's name, or `sign_in`.")
    about: str | None = Field(default=None, max_length=250, description="What it was about.")
    why: str = Field(max_length=2000)
    reason: str = Field(max_length=1000, description="Why it wasn't done.")


class SignOut(Asked):
    """The session to end."""

    session: Hash


class AddPerson(Deed):
    """A new account."""

    name: AccountName
    roles: Roles
    password: Password


class Named(Deed):
    """Something about one account."""

    name: AccountName


class SetRoles(Named):
    """Other roles for an account; its sessions and tokens end."""

    roles: Roles


class SetPassword(Named):
    """Another password for an account; its sessions end."""

    password: Password


class OldAndNew(BaseModel):
    """What somebody says who changes their own password."""

    model_config = ConfigDict(extra="forbid")

    old: str = Field(max_length=1000, description="The one they have now.")
    new: Password


class ChangePassword(Deed):
    """Another password of one's own, by the one it was; one's sessions end, but the one in which it is asked."""

    old: str = Field(max_length=1000)
    new: Password
    session: Hash | None = None
    address: str = Field(max_length=250, description="Where it comes from, for limits.")


class WantToken(Named):
    """A token for a program that works in this person's name, with these of their roles."""

    roles: Roles
    days: int = Field(default=90, ge=1, le=366, description="How long it lets in.")
    purpose: str = Field(default="", max_length=200, description="What it is for.")


class GiveToken(WantToken):
    """The same, once it is made: the hub gets its hash."""

    token: Hash


class EndPass(Deed):
    """End a session or a token."""

    id: PassId


class EndAll(Deed):
    """End all sessions and tokens of a person, also of one who has no account here."""

    name: str = Field(min_length=1, max_length=250)


class Who(BaseModel):
    """Somebody who was let in."""

    name: str
    roles: list[Role]


class PassRow(BaseModel):
    """A session or token that lets somebody in."""

    id: PassId
    kind: Literal["session", "token"]
    name: str
    roles: list[Role] | None = Field(description="None: all that the account has.")
    since: str = Field(description="ISO 8601.")
    used: str = Field(description="ISO 8601, to the minute.")
    ends: str = Field(description="ISO 8601.")
    origin: str = Field(description="Where it came from: an address, an issuer, a token's purpose.")


class PersonRow(BaseModel):
    """An account."""

    name: str
    roles: list[Role]
    disabled: bool
    since: str = Field(description="ISO 8601.")


class People(BaseModel):
    """Everybody who may come in, and what lets them in now."""

    people: list[PersonRow]
    passes: list[PassRow]
    passes_total: int


class Told(BaseModel):
    """How a deed ended."""

    ok: bool
    text: str


class Given(Told):
    """A token, told only now."""

    token: str


WHO = Question("user_who", Shown)
SIGN_IN = Question("user_sign_in", SignIn)
SIGN_ON = Question("user_sign_on", SignedOn)
TURNED_AWAY = Question("user_turned_away", TurnedAway)
SIGN_OUT = Question("user_sign_out", SignOut)
CHANGE = Question("user_own_password", ChangePassword)
PEOPLE = Question("user_people", Nothing, ENGINEERING)
ADD = Question("user_add", AddPerson, ENGINEERING)
ROLES = Question("user_roles", SetRoles, ENGINEERING)
PASSWORD = Question("user_password", SetPassword, ENGINEERING)
DISABLE = Question("user_disable", Named, ENGINEERING)
ENABLE = Question("user_enable", Named, ENGINEERING)
REMOVE = Question("user_remove", Named, ENGINEERING)
TOKEN = Question("user_token", GiveToken, ENGINEERING)
END = Question("user_end", EndPass, ENGINEERING)
END_ALL = Question("user_end_all", EndAll, ENGINEERING)
