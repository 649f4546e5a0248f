"""Replays as a person asks for them: looked at before anything is sent, begun, watched, cancelled, resumed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from canonical.objects import CATALOGUE, shown_key
from canonical.subjects import PARTITIONS
from mombus.bus.commands import UnknownNameError
from mombus.delivery.delivery import BetweenHubsError
from mombus.hub.replay.feeding import Feeding
from mombus.hub.replay.history import History
from mombus.hub.replay.looking import Looking, Previews
from mombus.hub.replay.selecting import selection_of
from mombus.hub.replay.wishes import ReplayError, correction_of, wish_of
from mombus.index import selection as selecting
from mombus.index.selection import Selection
from mombus.journal import audit, parked, replays
from mombus.journal.audit import Deed
from mombus.journal.replays import Progress, Replay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.hub.replay.translating import Translating
    from mombus.hub.replay.wishes import Correction, Wish
    from mombus.index.selection import End
    from mombus.journal.journal import Journal
    from mombus.journal.replays import Manner

PAGE = 2000
MAX_SEQ = 2**63 - 1
SHOWN = 200
"""Replays in a list."""


class Replays:
    """The replays of a hub: `feeding` feeds each to its target part by part, one after the other per target.

    Any of several hubs begins, shows and cancels them. `hub` is its name among those that share the journal.
    """

    def __init__(
        self, *, config: Config, bus: Bus, journal: Journal, index: Journal, delivery: Delivery,
        translating: Translating,
    ) -> None:  # fmt: skip
        self._config = config
        self._journal = journal
        self._index = index
        self._delivery = delivery
        self._translating = translating
        self._history = History(bus, index)
        self._looking = Looking(delivery, self._history)
        self._previews = Previews()
        self.feeding = Feeding(journal, index, delivery, self._history)
        self.hub: str | None = None

    async def answer(  # noqa: PLR0911 - one line per command
        self, name: str, question: Mapping[str, Any]
    ) -> Any:
        """Answer a command about replays. Raises ReplayError, LookupError, and UnknownNameError where it names what
        isn't there."""
        match name:
            case "replay_survey":
                return await self.survey(dict(question))
            case "replay_page":
                return await self.page(question)
            case "replay_preview":
                return await self.preview(wish_of(question))
            case "replay_translate":
                return await self.translate(correction_of(question))
            case "replay_rows":
                return await self._previews.rows(str(question.get("preview")))
            case "replay_begin":
                return await self.begin(wish_of(question))
            case "replay_list":
                return await self.progress()
            case "replay_cancel":
                return await self.cancel(**{name: str(question.get(name) or "") for name in ("id", "who", "why")})
        raise ReplayError(f"the hub knows no command '{name}'")

    async def survey(self, question: dict[str, Any]) -> dict[str, Any]:
        """How much a selection selects, its first and last, and if it is nothing, why."""
        selection = self._selection(question)
        found = await self._history.survey(selection)
        reasons = []
        if not found.count:
            self._check_names(selection)
            why = partial(selecting.why_nothing, selection=selection, now=datetime.now(UTC))
            reasons = await self._index.read(why)
        return {
            "selection": str(selection), "count": found.count, "upto": found.upto, "first": _end(found.first),
            "last": _end(found.last), "behind": await self._history.behind(), "reasons": reasons,
        }  # fmt: skip

    async def page(self, question: Mapping[str, Any]) -> list[int]:
        """The sequences in the stream of what is selected after one: the next PAGE of them."""
        selection, after = self._selection(question.get("selection", {})), int(question.get("after", 0))
        return await self._index.read(
            partial(selecting.page, selection=selection, after=after, upto=MAX_SEQ, limit=PAGE)
        )

    async def preview(self, wish: Wish) -> dict[str, str | None]:
        """Begin to look at what would be sent; `rows` with the answer tells it part by part. Writes nothing."""
        rows = await self._looking.judged(self._targets(wish), self._selection(wish.selection), wish.manner)
        return self._opened(rows)

    async def fate(self, message_id: str, target: str, manner: Manner) -> dict[str, Any] | None:
        """What would become of one message that is replayed to a target, as a row of a preview; None if it isn't in
        history. Raises ReplayError while the target's inbox catches up."""
        rows = await self._looking.judged([target], Selection(id=(message_id,)), manner)
        async for part in rows:
            if part:
                return part[0]
        return None

    async def translate(self, correction: Correction) -> dict[str, str | None]:
        """Begin to translate documents again; `rows` with the answer does it part by part. Audited if it publishes."""
        selection = self._selection(correction.selection)
        if correction.kept:
            self._check_names(selection, kept_of=await self._journal.read(parked.systems))
        if correction.publish:
            if not correction.who.strip() or not correction.why.strip():
                raise ReplayError("say who decides and why: both are kept in the audit trail")
            await self._journal.write(partial(audit.note, deed=Deed(
                at=datetime.now(UTC), who=correction.who, action="translate again", target=None, message_id=None,
                why=correction.why, result="the documents of what is kept" if correction.kept else str(selection),
            )))  # fmt: skip
        if correction.kept:
            return self._opened(self._translating.kept(
                selection.source, publish=correction.publish, who=correction.who, why=correction.why
            ))  # fmt: skip
        return self._opened(self._translating.selected(selection, publish=correction.publish))

    async def begin(self, wish: Wish, also: Callable[[Connection, str], None] | None = None) -> dict[str, Any]:
        """Begin a replay to each target. Raises ReplayError when nothing is selected, or who and why aren't said.

        `also` is done with it, or neither: it is told the replay's id.
        """
        if not wish.who.strip() or not wish.why.strip():
            raise ReplayError("say who decides and why: both are kept in the audit trail")
        selection = self._selection(wish.selection)
        if selection.is_everything:
            raise ReplayError("say what is replayed: an order, a lot, an object, a time …")
        found = await self._history.survey(selection)
        if not found.count:
            self._check_names(selection)
            raise ReplayError("nothing is selected")
        id, now = f"replay-{uuid4().hex[:12]}", datetime.now(UTC)
        begun = [
            Replay(
                id=id, inbox=inbox, selection=selection.model_dump_json(exclude_defaults=True), manner=wish.manner,
                who=wish.who, why=wish.why, begun=now, total=found.count, upto=found.upto, position=0, fates={},
                progress=Progress.RUNNING,
            )
            for target in self._targets(wish) for inbox in self._delivery.inboxes(target)
        ]  # fmt: skip

        def work(connection: Connection) -> None:
            _begin(begun, str(selection), connection)
            if also is not None:
                also(connection, id)

        await self._journal.write(work)
        self.feeding.begun()
        return {"id": id, "count": found.count, "targets": self._targets(wish)}

    async def progress(self) -> list[dict[str, Any]]:
        """The newest replays and how far they are."""
        return await self._journal.read(_listed)

    async def cancel(self, id: str, who: str, why: str) -> dict[str, Any]:
        """End a replay: what wasn't begun isn't sent. Raises UnknownNameError when none of that id runs."""
        if not who.strip() or not why.strip():
            raise ReplayError("say who decides and why: both are kept in the audit trail")
        running = await self._journal.read(partial(replays.rows, progress=Progress.RUNNING))
        mine = [replay for replay in running if replay.id.startswith(id)]
        if not id or not mine or len({replay.id for replay in mine}) > 1:
            raise UnknownNameError("running replay", id, hint="`mombus replay status` lists them")
        withdrawn = 0
        await self._journal.write(partial(_cancel, mine, who, why))
        for replay in mine:
            try:
                withdrawn += await self._delivery.replaying(replay.inbox).withdraw(replay.id)
            except BetweenHubsError:
                # its hub sees in the journal that it is cancelled, and takes them out
                withdrawn += await self._journal.read(partial(replays.unbegun, id=replay.id, inbox=replay.inbox))
        return {"id": mine[0].id, "withdrawn": withdrawn}

    def _opened(self, rows: AsyncIterator[list[dict[str, Any]]]) -> dict[str, str | None]:
        """What to ask for its rows by, and which hub."""
        return {"preview": self._previews.add(rows), "hub": self.hub}

    def _check_names(self, selection: Selection, *, kept_of: Collection[str] = ()) -> None:
        """Where nothing is found: does it name what isn't there? Raises UnknownNameError."""
        systems = {*self._config.systems, *kept_of}
        for what, names, known in (
            ("data object", selection.object, CATALOGUE), ("system", selection.source, systems),
        ):  # fmt: skip
            for name in names:
                if name not in known:
                    raise UnknownNameError(what, name, known)

    def _targets(self, wish: Wish) -> list[str]:
        """Its targets, each once. Raises ReplayError, UnknownNameError."""
        known = self._delivery.targets
        for target in wish.to:
            if target not in known:
                raise UnknownNameError("target", target, known)
        if not wish.to:
            raise ReplayError("say which targets it goes to")
        return list(dict.fromkeys(wish.to))

    def _selection(self, said: Mapping[str, Any]) -> Selection:
        return selection_of(said, self._config.plant.timezone, datetime.now(UTC))


def _begin(begun: Sequence[Replay], selection: str, connection: Connection) -> None:
    for replay in begun:
        replays.begin(connection, replay)
    for target, replay in {replay.target: replay for replay in begun}.items():
        audit.note(connection, Deed(
            at=replay.begun, who=replay.who, action="replay", target=target, message_id=None, why=replay.why,
            result=f"{replay.id}, {replay.manner}: {replay.total} messages, {selection}",
        ))  # fmt: skip


def _cancel(mine: Sequence[Replay], who: str, why: str, connection: Connection) -> None:
    now = datetime.now(UTC)
    ended = [one for one in mine if replays.end(connection, one.id, one.inbox, Progress.CANCELLED, now)]
    for target, replay in {replay.target: replay for replay in ended}.items():
        audit.note(connection, Deed(
            at=now, who=who, action="cancel replay", target=target, message_id=None, why=why, result=replay.id
        ))  # fmt: skip


def _listed(connection: Connection) -> list[dict[str, Any]]:
    """Every replay to every target, with what its shards did taken together."""
    found: dict[tuple[str, str], list[Replay]] = {}
    for replay in replays.rows(connection, limit=SHOWN * PARTITIONS):
        found.setdefault((replay.id, replay.target), []).append(replay)
    return [
        {
            "id": id, "target": target, "progress": _progress(shards).value, "manner": first.manner.value,
            "selection": str(Selection.model_validate_json(first.selection)), "who": first.who, "why": first.why,
            "begun": first.begun.isoformat(), "ended": ended.isoformat() if ended else None,
            "total": first.total, "judged": fates.total(), "fates": dict(fates),
            "waiting": {kind.value: n for kind, n in replays.left(connection, id, target).items()},
        }
        for (id, target), shards in list(found.items())[:SHOWN]
        for first, fates in [(shards[0], sum((Counter(one.fates) for one in shards), Counter[str]()))]
        for ended in [max((one.ended for one in shards if one.ended), default=None)]
    ]  # fmt: skip


def _progress(shards: Sequence[Replay]) -> Progress:
    """A replay runs until its last shard is done."""
    return next((how for how in (Progress.RUNNING, Progress.CANCELLED) if how in {one.progress for one in shards}),
                Progress.DONE)  # fmt: skip


def _end(end: End | None) -> dict[str, Any] | None:
    if end is None:
        return None
    return {
        "seq": end.seq, "stored": end.stored.isoformat(), "object": end.object, "key": shown_key(end.object, end.key)
    }  # fmt: skip
