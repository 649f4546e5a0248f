"""What was refused to an account at the broker, noted in the audit trail under the account's name.

Three things end here: publishing where the ownership table gives the account nothing (`mombus/bus/accounts.py` leads it
here), handing over in another system's name, and messages whose headers say something else than the subject they are
stored on. Somebody who tries a thousand times a second fills no disk: there is one entry for each account and kind of
attempt in a while, with how often it was tried.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from connectors.protocols.nats.arrival import arrived
from mombus.bus.accounts import REFUSED, tried
from mombus.journal import audit
from mombus.journal.audit import Deed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nats.aio.msg import Msg
    from sqlalchemy import Connection

    from mombus.bus.connection import Bus
    from mombus.journal.journal import Journal

EVERY_S = 5.0
"""At most one entry in so long for each account and kind of attempt."""
MOST_KINDS, KINDS_FOR_S = 50, 3600.0
"""Kinds of attempts of one account that are told apart in so long; what comes beyond is one kind."""
TEXT = 500

log = structlog.get_logger()


@dataclass(slots=True)
class _Attempts:
    """The newest attempt of its kind, and how many there were."""

    what: str
    why: str
    times: int = 0


class Refusals:
    """Notes refusals in one hub's journal."""

    def __init__(self, site: str, journal: Journal) -> None:
        self._site = site
        self._journal = journal
        self._open: dict[tuple[str, str], _Attempts] = {}
        self._more = asyncio.Event()
        self._kinds: defaultdict[str, set[str]] = defaultdict(set)
        self._kinds_until = 0.0

    async def listen(self, bus: Bus) -> None:
        """Hear what the broker leads here, until the bus is closed; of several hubs one hears each."""
        await bus.client.subscribe(f"{REFUSED}.>", queue="hub", cb=self._heard)
        await arrived(bus.client)

    def tell(self, account: str, what: str, why: str) -> None:
        """An account tried `what`. Returns at once; what is the same within a while becomes one entry."""
        kind = (account, ".".join(what.split(".", 4)[:4])[:TEXT])
        if not self._is_told_apart(kind):
            kind = (account, "")
        attempts = self._open.setdefault(kind, _Attempts(what[:TEXT], why[:TEXT]))
        attempts.times += 1
        self._more.set()

    def contradicted(self, subject: str, reason: str) -> None:
        """What is stored on `subject` is no message, or says that it is another: its publisher tried that."""
        tokens = subject.split(".")
        self.tell(tokens[4] if len(tokens) > 4 else "?", f"publish on {subject}", reason)

    def _is_told_apart(self, kind: tuple[str, str]) -> bool:
        now = time.monotonic()
        if now > self._kinds_until:
            self._kinds, self._kinds_until = defaultdict(set), now + KINDS_FOR_S
        kinds = self._kinds[kind[0]]
        if len(kinds) < MOST_KINDS:
            kinds.add(kind[1])
        return kind[1] in kinds

    async def run(self) -> None:
        """Write the entries, for ever; what can't be written now is written later."""
        while True:
            await self._more.wait()
            self._more.clear()
            noted, self._open = self._open, {}
            for (account, _), attempts in noted.items():
                log.warning("refused", account=account, what=attempts.what, times=attempts.times)
            try:
                await self._journal.write(partial(_note, deeds=[_deed(*one) for one in noted.items()]))
            except SQLAlchemyError as error:
                log.warning("refusals can't be noted now", reason=str(error).splitlines()[0])
                self._open = {**noted, **self._open}
                self._more.set()
            await asyncio.sleep(EVERY_S)

    async def _heard(self, message: Msg) -> None:
        account, subject = tried(message.subject, self._site)
        self.tell(account, f"publish on {subject}", "the ownership table gives this account no such subject")


def _deed(kind: tuple[str, str], attempts: _Attempts) -> Deed:
    times = "" if attempts.times == 1 else f", {attempts.times} times"
    return Deed(
        at=datetime.now(UTC), who=f"account {kind[0]}", action=attempts.what, target=None, message_id=None,
        why=attempts.why, result=f"refused{times}",
    )  # fmt: skip


def _note(connection: Connection, deeds: Sequence[Deed]) -> None:
    for deed in deeds:
        audit.note(connection, deed)
