"""Whether systems can be reached, found out before anything is changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mombus.hub.building import make_far_sessions, make_sessions
from mombus.hub.changing.changing import NotTakenError
from mombus.hub.connecting import GOODBYE_S, say_goodbye
from mombus.hub.parts import Parts
from mombus.ownership.owners import Owners

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from nats.aio.client import Client

    from mombus.config.model import Config
    from mombus.hub.apart.remote import RemoteSession
    from mombus.hub.session import Session

CONNECT_S = 10.0


async def connect_first(sessions: Iterable[Session]) -> None:
    """Connect them, side by side. Raises NotTakenError with those that can't be reached."""
    reasons = [reason for reason in await asyncio.gather(*map(_connected, sessions)) if reason]
    if reasons:
        raise NotTakenError("; ".join(reasons))


async def try_new(config: Config, systems: Collection[str], parts: Parts, client: Client) -> None:
    """Connect systems that nobody is connected with yet, and let them go again. Raises NotTakenError.

    Those whose connectors run in other processes are theirs to connect: they must run.
    """
    if not systems:
        return
    owners = Owners(config.objects, config.plant.equipment)
    here = Parts(systems=frozenset(name for name in systems if parts.runs(name)))
    far = make_far_sessions(config, owners, parts, client)
    await _run_apart([far[name] for name in systems if name in far])
    sessions = list(make_sessions(config, owners, here).values())
    try:
        await connect_first(sessions)
    finally:
        await say_goodbye(sessions, GOODBYE_S)


async def _run_apart(sessions: Iterable[RemoteSession]) -> None:
    for session in sessions:
        await session.probe()
        if session.settings() is None:
            raise NotTakenError(f"{session.system}: {session.reason}")


async def _connected(session: Session) -> str | None:
    try:
        async with asyncio.timeout(CONNECT_S):
            await session.connect(session.opened)
    except TimeoutError:
        return f"{session.system} doesn't answer within {CONNECT_S:.0f} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is why
        return f"{session.system} can't be connected: {str(error) or type(error).__name__}"
    return None
