"""The other hubs of the journal while all take over the same change: one after the other, and back if one can't."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from mombus.bus.commands import AwayError, HubAwayError, NobodyThereError
from mombus.desk.planning import CHANGED, GO_BACK, LOOK, SHARE, HubStep, Seen
from mombus.hub.changing.changing import NotTakenError
from mombus.hub.several.neighbours import HubGoneError, HubLeftError
from mombus.plan.hubs import at_hub
from mombus.plan.picture import fingerprint
from mombus.plan.plan import AtHub

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mombus.desk.planning import Apply, AtOther
    from mombus.hub.changing.work import Core
    from mombus.journal.leases import Peer
    from mombus.plan.fates import Flow
    from mombus.plan.picture import Picture

LOOK_S = 0.1
AWAY_S = 60.0
"""How long a hub that changes over may be away; one that ended without a word isn't waited for."""


class Other:
    """One of them. `at` says how the change is there, `seen` what it said of it; None if it couldn't."""

    def __init__(self, core: Callable[[], Core], peer: Peer, at: AtHub, seen: Seen | None = None) -> None:
        self._core = core
        self._place = peer.said.place
        self.address = peer.said.address
        self.at = at
        self.seen = seen
        self.state: AtOther = "looked at"

    @property
    def flow(self) -> Flow | None:
        """What is on its way there."""
        return self.seen.flow if self.seen is not None else None

    @property
    def _fingerprints(self) -> tuple[str, str]:
        """Of what it ran, and of what it is to run."""
        assert self.seen is not None, "it has been looked at"  # noqa: S101 - who doesn't answer isn't asked
        assert self.seen.new is not None, "and what it says is whole"  # noqa: S101
        return fingerprint(self.seen.running), fingerprint(self.seen.new)

    async def prepare(self, asked: Apply, salt: str) -> None:
        """Have it find out whether it can take it. Raises NotTakenError.

        One that ends meanwhile is left out, as one that had ended before: what it runs when it starts its files say.
        """
        await self._share(asked, salt, "prepare")

    async def take(self, asked: Apply, salt: str) -> None:
        """Have it change over. Raises NotTakenError: it has kept the configuration before, or nobody knows.

        One that ended before it was asked is left out, as above.
        """
        await self._share(asked, salt, "take")

    async def go_back(self, asked: Apply, salt: str) -> str | None:
        """Have it work as before, if it has changed. Why that isn't sure, if so."""
        if self.state == "kept":
            return None
        wish = {"who": asked.who, "why": asked.why, "salt": salt, "to": self._fingerprints[1]}
        try:
            begun = await self._ask(GO_BACK.name, wish)
            await self._ended(begun["number"], changes_over=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are told all the same
            why = str(error) or type(error).__name__
            return f"the hub at {self.address} can't be told to go back ({why}): it runs what its files say"
        self.state = "went back"
        return None

    async def _share(self, asked: Apply, salt: str, part: Literal["prepare", "take"]) -> None:
        """Have it do its part, unless nothing is to be asked of it any more: it runs what it is to run, or will."""
        if self.state in {"runs it", "ended"}:
            return
        base, to = self._fingerprints
        wish = asked.model_dump(mode="json", include=_WISH)
        changes_over = part == "take"
        begun = False
        try:
            number = await self._begun({**wish, "salt": salt, "base": base, "to": to, "part": part})
            begun = True
            if changes_over:
                self.state = "changing"
            await self._ended(number, changes_over=changes_over)
        except (NotTakenError, ValueError, AwayError) as error:
            if await self._runs(salt, to):
                self.state = "runs it"
            elif isinstance(error, HubGoneError | HubLeftError) and not (begun and changes_over):
                self.state = "ended"
            else:
                raise NotTakenError(f"the hub at {self.address}: {error}") from error
        else:
            self.state = "runs it" if changes_over else "ready"

    async def _begun(self, wish: dict[str, Any]) -> int:
        """The number of the change that it has begun. Who doesn't hear has just ended, or starts again."""
        end = time.monotonic() + AWAY_S
        while True:
            try:
                return int((await self._ask(SHARE.name, wish))["number"])
            except NobodyThereError:
                if time.monotonic() > end:
                    raise
            await asyncio.sleep(LOOK_S)

    async def _ended(self, number: int, *, changes_over: bool) -> None:
        """Return when it has done it. Raises NotTakenError with why it hasn't, HubAwayError when it stays away.

        One that `changes_over` isn't there for a moment.
        """
        away = time.monotonic() + AWAY_S
        while True:
            try:
                told = await self._ask(CHANGED.name, {})
            except HubAwayError as error:
                gone = isinstance(error, HubGoneError) or (isinstance(error, HubLeftError) and not changes_over)
                if gone or time.monotonic() > away:
                    raise
            else:
                away = time.monotonic() + AWAY_S
                if told["number"] != number:
                    raise NotTakenError("it was started again meanwhile")
                if told["state"] == "kept":
                    self.state = "kept"
                    raise NotTakenError(told["reason"])
                if told["state"] != "changing":
                    return
            await asyncio.sleep(LOOK_S)

    async def _runs(self, salt: str, to: str) -> bool:
        """Whether it runs that: one that is killed and started again takes its file."""
        try:
            seen = Seen.model_validate(await self._ask(LOOK.name, {"salt": salt}))
        except (ValueError, AwayError):
            return False
        return fingerprint(seen.running) == to

    async def _ask(self, name: str, question: dict[str, Any]) -> Any:
        neighbours = self._core().neighbours
        assert neighbours is not None, "there are other hubs"  # noqa: S101 - or nobody would ask
        return await neighbours.ask_at(self._place, name, question)


_WISH = {"who", "why", "skip", "keep", "within_s", "unreached"}


async def look_at_others(core: Callable[[], Core], salt: str, running: Picture, new: Picture) -> list[Other]:
    """The other hubs that live, with how the change from `running` to `new` is there by what their own files say."""
    neighbours = core().neighbours
    if neighbours is None:
        return []
    peers = [peer for peer in await neighbours.others() if peer.live]
    looking = partial(_look, core, salt=salt, mine=(running, new))
    return list(await asyncio.gather(*map(looking, sorted(peers, key=lambda peer: peer.said.address))))


async def _look(core: Callable[[], Core], peer: Peer, *, salt: str, mine: tuple[Picture, Picture]) -> Other:
    neighbours = core().neighbours
    assert neighbours is not None, "who asks has looked"  # noqa: S101

    def refuses(*said: str) -> Other:
        return Other(core, peer, AtHub(address=peer.said.address, how="refuses", says=said))

    try:
        seen = Seen.model_validate(await neighbours.ask_at(peer.said.place, LOOK.name, {"salt": salt}))
    except (ValidationError, ValueError, AwayError) as error:
        return refuses("it doesn't say what it makes of it" if isinstance(error, ValidationError) else str(error))
    if seen.new is None:
        return refuses(*seen.findings)
    if seen.busy:
        return refuses("another change is under way there")
    return Other(core, peer, at_hub(peer.said.address, mine, (seen.running, seen.new)), seen)


def steps(others: Sequence[Other]) -> tuple[HubStep, ...]:
    """How far each is."""
    return tuple(HubStep(address=other.address, state=other.state) for other in others)
