"""Replays as a person asks for them: looked at before anything is sent, begun, watched, cancelled, resumed."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from canonical.objects import shown_key
from canonical.subjects import PARTITIONS
from mombus.bus.errors import BusError
from mombus.delivery.delivery import BetweenHubsError
from mombus.delivery.replaying import Terms
from mombus.hub.replay.history import History
from mombus.hub.replay.selecting import selection_of
from mombus.index import selection as selecting
from mombus.index.selection import Selection
from mombus.journal import audit, replays
from mombus.journal.audit import Deed
from mombus.journal.replays import Manner, Progress, Replay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from sqlalchemy import Connection

    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.delivery import Delivery
    from mombus.delivery.replaying import Judged, Replaying
    from mombus.hub.replay.translating import Translating
    from mombus.index.selection import End
    from mombus.journal.journal import Journal

MOST_IN_HAND = 400
"""Replayed messages of one target that wait for their turn at most: what is live isn't crowded out."""
LOOK_S = 0.1
READY_S = 5.0
AGAIN_S = 2.0
PREVIEWS = 8
"""Previews that are open at the same time; the oldest is forgotten."""
PAGE = 2000
MAX_SEQ = 2**63 - 1
SHOWN = 200
"""Rows of a preview in one answer, and replays in a list."""

M = TypeVar("M", bound=BaseModel)

log = structlog.get_logger()


class ReplayError(ValueError):
    """A replay that can't be asked for like that; the text says what was expected."""


class Wish(BaseModel):
    """What is to be replayed, to which targets and how; `who` and `why` are kept in the audit trail."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: dict[str, Any]
    to: tuple[str, ...]
    manner: Manner = Manner.MISSING
    who: str = ""
    why: str = ""


class Correction(BaseModel):
    """Which documents are translated again: of what is selected, or of what is `kept` as a fault, from the selection's
    sources. `publish`: what is said otherwise now is published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    selection: dict[str, Any] = {}
    kept: bool = False
    publish: bool = False
    who: str = ""
    why: str = ""


class Replays:
    """The replays of a hub: each is fed to its target part by part, one after the other per target.

    `hub` is its name among those that share the journal.
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
        self._previews: OrderedDict[str, AsyncIterator[list[dict[str, Any]]]] = OrderedDict()
        self._news = asyncio.Event()
        self.hub: str | None = None

    async def answer(  # noqa: PLR0911 - one line per command
        self, name: str, question: Mapping[str, Any]
    ) -> Any:
        """Answer a command about replays. Raises ReplayError, LookupError."""
        match name:
            case "replay_survey":
                return await self.survey(dict(question))
            case "replay_page":
                return await self.page(question)
            case "replay_preview":
                return await self.preview(_wish(question))
            case "replay_translate":
                return await self.translate(_correction(question))
            case "replay_rows":
                return await self.rows(str(question.get("preview")))
            case "replay_begin":
                return await self.begin(_wish(question))
            case "replay_list":
                return await self.progress()
            case "replay_cancel":
                return await self.cancel(**{name: str(question.get(name) or "") for name in ("id", "who", "why")})
        raise ReplayError(f"the hub knows no command '{name}'")

    async def survey(self, question: dict[str, Any]) -> dict[str, Any]:
        """How much a selection selects, its first and last, and if it is nothing, why."""
        selection = self._selection(question)
        found = await self._history.survey(selection)
        reasons = [] if found.count else await self._index.read(partial(
            selecting.why_nothing, selection=selection, systems=self._config.systems, now=datetime.now(UTC)
        ))  # fmt: skip
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
        for target in self._targets(wish):
            for inbox in self._delivery.inboxes(target):
                await self._ready(inbox)
        return self._opened(self._judged(wish))

    async def translate(self, correction: Correction) -> dict[str, str | None]:
        """Begin to translate documents again; `rows` with the answer does it part by part. Audited if it publishes."""
        selection = self._selection(correction.selection)
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

    async def _ready(self, inbox: str) -> None:
        try:
            async with asyncio.timeout(READY_S):
                await self._delivery.replaying(inbox).ready()
        except TimeoutError:
            text = f"{inbox} is still catching up with what came before the hub was started: try again in a moment"
            raise ReplayError(text) from None

    def _opened(self, rows: AsyncIterator[list[dict[str, Any]]]) -> dict[str, str | None]:
        """What to ask for its rows by, and which hub."""
        name = uuid4().hex
        self._previews[name] = rows
        while len(self._previews) > PREVIEWS:
            self._previews.popitem(last=False)
        return {"preview": name, "hub": self.hub}

    async def rows(self, preview: str) -> list[dict[str, Any]]:
        """The next rows of a preview, none at its end. Raises LookupError when it isn't open (any more)."""
        found = self._previews.get(preview)
        if found is None:
            raise LookupError("this preview isn't open any more: ask again")
        async for rows in found:
            if rows:
                return rows
        self._previews.pop(preview, None)
        return []

    async def begin(self, wish: Wish) -> dict[str, Any]:
        """Begin a replay to each target. Raises ReplayError when nothing is selected, or who and why aren't said."""
        if not wish.who.strip() or not wish.why.strip():
            raise ReplayError("say who decides and why: both are kept in the audit trail")
        selection = self._selection(wish.selection)
        if selection.is_everything:
            raise ReplayError("say what is replayed: an order, a lot, an object, a time …")
        found = await self._history.survey(selection)
        if not found.count:
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
        await self._journal.write(partial(_begin, begun, str(selection)))
        self._news.set()
        return {"id": id, "count": found.count, "targets": self._targets(wish)}

    async def progress(self) -> list[dict[str, Any]]:
        """The newest replays and how far they are."""
        return await self._journal.read(_listed)

    async def cancel(self, id: str, who: str, why: str) -> dict[str, Any]:
        """End a replay: what wasn't begun isn't sent. Raises LookupError when none of that id runs."""
        if not who.strip() or not why.strip():
            raise ReplayError("say who decides and why: both are kept in the audit trail")
        running = await self._journal.read(partial(replays.rows, progress=Progress.RUNNING))
        mine = [replay for replay in running if replay.id.startswith(id)]
        if not id or not mine or len({replay.id for replay in mine}) > 1:
            raise LookupError(f"no running replay is called '{id}': `mombus replay status` lists them")
        withdrawn = 0
        await self._journal.write(partial(_cancel, mine, who, why))
        for replay in mine:
            with suppress(BetweenHubsError):
                withdrawn += await self._delivery.replaying(replay.inbox).withdraw(replay.id)
        return {"id": mine[0].id, "withdrawn": withdrawn}

    async def run(self) -> None:
        """Feed what is to be replayed, for ever; what a stop interrupted goes on."""
        async with asyncio.TaskGroup() as tasks:
            feeding: dict[str, asyncio.Task[None]] = {}
            while True:
                self._news.clear()
                for replay in await self._journal.read(partial(replays.rows, progress=Progress.RUNNING)):
                    if replay.inbox not in feeding or feeding[replay.inbox].done():
                        feeding[replay.inbox] = tasks.create_task(self._feed(replay.inbox))
                await self._news.wait()

    async def feed(self, inbox: str) -> None:
        """Feed one inbox, for ever: by the hub that has it, where hubs share the journal and others begin replays."""
        while True:
            await self._feed(inbox)
            await asyncio.sleep(AGAIN_S)

    def _targets(self, wish: Wish) -> list[str]:
        """Its targets, each once. Raises ReplayError."""
        known = self._delivery.targets
        for target in wish.to:
            if target not in known:
                raise ReplayError(f"'{target}' is no target; the targets are {', '.join(sorted(known))}")
        if not wish.to:
            raise ReplayError("say which targets it goes to")
        return list(dict.fromkeys(wish.to))

    def _selection(self, said: Mapping[str, Any]) -> Selection:
        return selection_of(said, self._config.plant.timezone, datetime.now(UTC))

    async def _feed(self, inbox: str) -> None:
        """Feed one inbox's replays, the oldest first."""
        while mine := await self._running(inbox):
            try:
                await self._feed_one(mine[-1], self._delivery.replaying(inbox))
            except BusError as error:
                log.warning("replay paused", inbox=inbox, reason=str(error))
                await asyncio.sleep(AGAIN_S)
            except BetweenHubsError as error:
                log.debug("a replay waits for another hub", inbox=inbox, reason=str(error))
                return
            except LookupError as error:
                log.error("a replay waits for its target to be declared again", inbox=inbox, reason=str(error))
                return
            except Exception:
                log.exception("a replay failed; it is tried again", inbox=inbox)
                await asyncio.sleep(AGAIN_S)

    async def _running(self, inbox: str) -> Sequence[Replay]:
        rows = await self._journal.read(partial(replays.rows, progress=Progress.RUNNING))
        return [replay for replay in rows if replay.inbox == inbox]

    async def _feed_one(self, replay: Replay, replaying: Replaying) -> None:
        await self._until_indexed(replay.upto)
        await replaying.ready()
        terms = Terms(replay.id, replay.manner)
        selection = Selection.model_validate_json(replay.selection)
        async for position, part in self._history.parts(selection, after=replay.position, upto=replay.upto):
            if not await self._room(replay, replaying, MOST_IN_HAND - len(part)):
                return
            if not await replaying.put(await replaying.judge(part, terms), terms, position):
                return
        if not await self._room(replay, replaying, 0):
            return
        await self._journal.write(partial(
            replays.end, id=replay.id, inbox=replay.inbox, progress=Progress.DONE, now=datetime.now(UTC)
        ))  # fmt: skip

    async def _room(self, replay: Replay, replaying: Replaying, most: int) -> bool:
        """Return once at most so many are in hand; False when it was cancelled, here or by another hub."""
        while replaying.in_hand > most:
            found = await self._journal.read(partial(replays.find, id=replay.id, inbox=replay.inbox))
            if found is None or not found.runs:
                await replaying.withdraw(replay.id)
                return False
            await asyncio.sleep(LOOK_S)
        return True

    async def _until_indexed(self, seq: int) -> None:
        """An index that is being built again doesn't know yet what is selected."""
        while (await self._index.read(selecting.reach))[1] < seq:  # noqa: ASYNC110 - fed by a task of its own
            await asyncio.sleep(AGAIN_S)

    async def _judged(self, wish: Wish) -> AsyncIterator[list[dict[str, Any]]]:
        selection = self._selection(wish.selection)
        found = await self._history.survey(selection)
        for target in self._targets(wish):
            for inbox in self._delivery.inboxes(target):
                terms = Terms("a new id", wish.manner)
                replaying = self._delivery.replaying(inbox)
                async for _, part in self._history.parts(selection, after=0, upto=found.upto, size=SHOWN):
                    judged = await replaying.judge(part, terms)
                    if judged:
                        yield [_row(target, one) for one in judged]


def _wish(question: Mapping[str, Any]) -> Wish:
    return _read(Wish, question)


def _correction(question: Mapping[str, Any]) -> Correction:
    return _read(Correction, question)


def _read(model: type[M], question: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(question)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ReplayError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


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


def _row(target: str, one: Judged) -> dict[str, Any]:
    message = one.message
    return {
        "target": target, "fate": one.fate.value, "reason": one.reason, "seq": one.seq, "id": message.id,
        "object": message.object, "key": shown_key(message.object, message.key), "revision": message.revision,
        "source": message.source, "occurred": message.occurred.isoformat(), "lane": message.lane,
    }  # fmt: skip


def _end(end: End | None) -> dict[str, Any] | None:
    if end is None:
        return None
    return {
        "seq": end.seq, "stored": end.stored.isoformat(), "object": end.object, "key": shown_key(end.object, end.key)
    }  # fmt: skip
