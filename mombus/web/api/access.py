"""Who asks, and who may."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request

from mombus.desk import access as desk
from mombus.desk.question import Deed, Nothing, Question
from mombus.web.access.own_password import change_password
from mombus.web.access.sessions import give_token
from mombus.web.api.refused import REFUSED
from mombus.web.asking import Ask, Asking

router = APIRouter(prefix="/api", tags=["access"], responses=REFUSED)


@router.get("/me")
async def me(ask: Ask) -> desk.Who:
    """In whose name this is asked, and as what."""
    return desk.Who(name=ask.person.name, roles=sorted(ask.person.roles))


@router.post("/me/password")
async def own_password(request: Request, ask: Ask, said: desk.OldAndNew) -> desk.Told:
    """Change one's own password; one's other sessions end, tokens stay. Wrong ones are counted as at signing in."""
    told = await change_password(request, ask, said)
    if "again_s" in told:
        raise HTTPException(429, told["text"], {"retry-after": str(told["again_s"])})
    return desk.Told.model_validate(told)


@router.get("/people")
async def people(ask: Ask) -> desk.People:
    """Accounts, and the sessions and tokens that let people in now."""
    return desk.People.model_validate(await ask(desk.PEOPLE, Nothing()))


@router.post("/people/add")
async def add(ask: Ask, deed: desk.AddPerson) -> desk.Told:
    """Make an account."""
    return await _told(ask, desk.ADD, deed)


@router.post("/people/roles")
async def roles(ask: Ask, deed: desk.SetRoles) -> desk.Told:
    """Give an account these roles and no others; its sessions and tokens end."""
    return await _told(ask, desk.ROLES, deed)


@router.post("/people/password")
async def password(ask: Ask, deed: desk.SetPassword) -> desk.Told:
    """Give an account another password; its sessions end."""
    return await _told(ask, desk.PASSWORD, deed)


@router.post("/people/disable")
async def disable(ask: Ask, deed: desk.Named) -> desk.Told:
    """Let nobody in with an account; its sessions and tokens end."""
    return await _told(ask, desk.DISABLE, deed)


@router.post("/people/enable")
async def enable(ask: Ask, deed: desk.Named) -> desk.Told:
    """Let a disabled account in again."""
    return await _told(ask, desk.ENABLE, deed)


@router.post("/people/remove")
async def remove(ask: Ask, deed: desk.Named) -> desk.Told:
    """Take an account away."""
    return await _told(ask, desk.REMOVE, deed)


@router.post("/people/token")
async def token(ask: Ask, deed: desk.WantToken) -> desk.Given:
    """Make a token for a program. It is told only now."""
    return await give_token(ask, deed)


@router.post("/people/end")
async def end(ask: Ask, deed: desk.EndPass) -> desk.Told:
    """End a session or token."""
    return await _told(ask, desk.END, deed)


@router.post("/people/end-all")
async def end_all(ask: Ask, deed: desk.EndAll) -> desk.Told:
    """End all sessions and tokens of a person."""
    return await _told(ask, desk.END_ALL, deed)


async def _told(ask: Asking, question: Question, deed: Deed) -> desk.Told:
    return desk.Told.model_validate(await ask(question, deed))
