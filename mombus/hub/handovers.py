"""The part `delivery`: everything that keeps a handover. It takes in, stores, delivers, remembers and answers for it.

It alone has the journal and the index.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING

import structlog

from mombus.bus.intake import Intake
from mombus.bus.known import Known
from mombus.bus.requests import Requests
from mombus.config.database import database_url
from mombus.config.share import bytes_of
from mombus.delivery.delivery import Delivery
from mombus.hub.building import make_prepare, make_targets
from mombus.hub.desk.arbitration import Arbitration
from mombus.hub.desk.bulk import BulkActions
from mombus.hub.desk.disagreements import Disagreements
from mombus.hub.desk.floor import Floor
from mombus.hub.desk.frontdesk import FrontDesk
from mombus.hub.desk.journeys import JourneysTopic
from mombus.hub.desk.messages import MessagesTopic
from mombus.hub.desk.night import NightShift
from mombus.hub.desk.own_password import OwnPassword
from mombus.hub.desk.ownership import OwnershipMatrix
from mombus.hub.desk.passage import Passage
from mombus.hub.desk.people import People
from mombus.hub.desk.searches import SearchesTopic
from mombus.hub.desk.signing_in import SigningIn
from mombus.hub.desk.stages import StagesTopic
from mombus.hub.desk.tapping import TapTopic
from mombus.hub.desk.trying import Trying
from mombus.hub.floor.reading import Reading
from mombus.hub.housekeeping import Housekeeping
from mombus.hub.observing import Observing
from mombus.hub.overhearing import Overhearing, WhyNot
from mombus.hub.refusals import Refusals
from mombus.hub.replay.replays import Replays
from mombus.hub.replay.translating import Translating
from mombus.hub.several.exchanged import Exchanged
from mombus.hub.several.unsent import UnsentMessages
from mombus.index.feeder import Feeder
from mombus.index.outcomes import Outcomes
from mombus.index.tables import index_metadata
from mombus.journal.exchanges import exchanges_metadata
from mombus.journal.journal import Journal
from mombus.journal.versions import EXCHANGES
from mombus.ownership.aliases import Aliases

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from contextlib import AsyncExitStack
    from pathlib import Path

    from mombus.bus.connection import Bus
    from mombus.config.model import Config
    from mombus.delivery.target import Hop, Patience
    from mombus.hub.session import Session
    from mombus.hub.store.storage import Storage
    from mombus.ownership.owners import Owners
    from mombus.web.metrics import Metrics

OPEN_S = 30.0
"""A target that can't be opened for so long is in trouble of its own: the others begin without it."""

log = structlog.get_logger()


class Handovers:
    """Takes in through `intake`, delivers to the systems of all sessions, answers through `desk`."""

    def __init__(
        self, *, intake: Intake, delivery: Delivery, requests: Requests, feeder: Feeder, observing: Observing,
        housekeeping: Housekeeping, replays: Replays, bulk: BulkActions, desk: FrontDesk,
        refusals: Refusals, outcomes: Outcomes, overhearing: Overhearing | None,
    ) -> None:  # fmt: skip
        self.intake = intake
        self.delivery = delivery
        self.desk = desk
        self.refusals = refusals
        self._requests = requests
        self._feeder = feeder
        self.outcomes = outcomes
        self.observing = observing
        self._housekeeping = housekeeping
        self._overhearing = overhearing
        self.replays = replays
        self.bulk = bulk

    async def begin(self, delivering: asyncio.Task[None]) -> None:
        """Return when the targets' routes have begun: nothing may be read before. Raises what ends `delivering`."""
        waiting = asyncio.create_task(self.delivery.opened())
        try:
            done, _ = await asyncio.wait({waiting, delivering}, timeout=OPEN_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if delivering in done:
            delivering.result()

    def running(self) -> Mapping[str, Coroutine[None, None, None]]:
        """What else runs for ever, by name."""
        answers, expiry, housekeeping, undertaken = self.housework()
        return {
            **self.watching(), "answers": answers, "expiry": expiry, "housekeeping": housekeeping,
            "undertaken": undertaken, "replays": self.replays.feeding.run(),
            "bulk actions": self.bulk.run(),
        }  # fmt: skip

    def watching(self) -> Mapping[str, Coroutine[None, None, None]]:
        """What every hub does for itself, by name."""
        return {
            "index": self._feeder.run(), "outcomes": self.outcomes.run(), "observing": self.observing.run(),
            "refusals": self.refusals.run(),
            **({"exchanges": self._overhearing.run()} if self._overhearing else {}),
        }  # fmt: skip

    def housework(self) -> Sequence[Coroutine[None, None, None]]:
        """What one hub does for all: requests and their answers, housekeeping, and what people's deeds left to do."""
        return *self._requests.running(), self._housekeeping.run(), self.desk.undertaken.run()


async def open_overhearing(config: Config, folder: Path, stack: AsyncExitStack) -> Overhearing:
    """What keeps the exchanges with the targets, closed with `stack`. Raises ConnectionError."""
    store = await Journal.open(f"sqlite:///{folder / EXCHANGES}", schema=exchanges_metadata)
    stack.push_async_callback(store.close)
    overhearing = Overhearing(
        store, age=config.bus.keep.exchanges_age, most_bytes=exchanges_limit(config, folder)
    )  # fmt: skip
    stack.push_async_callback(overhearing.close)
    return overhearing


def exchanges_limit(config: Config, folder: Path) -> int:
    """Bytes of exchanges that are kept."""
    return bytes_of(config.bus.keep.exchanges_size, shutil.disk_usage(folder).total)


async def open_journals(config: Config, folder: Path, stack: AsyncExitStack) -> tuple[Journal, Journal]:
    """Journal and index, closed with `stack`."""
    journal = await Journal.open(_store(config, folder))
    stack.push_async_callback(journal.close)
    index = await Journal.open(f"sqlite:///{folder / 'index.sqlite'}", schema=index_metadata)
    stack.push_async_callback(index.close)
    return journal, index


def _store(config: Config, folder: Path) -> str:
    if config.bus.store == "embedded":
        return f"sqlite:///{folder / 'journal.sqlite'}"
    password = config.bus.store_password
    url = database_url(config.bus.store).set(
        username=config.bus.store_user, password=password.get_secret_value() if password else None
    )
    return url.render_as_string(hide_password=False)


def _begin_at_nought(metrics: Metrics, systems: Iterable[str], targets: Iterable[str]) -> None:
    """What alerts watch for an increase is there before it increases: Prometheus sees none where nothing was."""
    for system in systems:
        metrics.gaps.labels(system)
    for target, why in product(targets, WhyNot):
        metrics.exchanges_dropped.labels(target, why.value)


async def make_handovers(
    config: Config, *, bus: Bus, journal: Journal, index: Journal, owners: Owners, sessions: Mapping[str, Session],
    storage: Storage, on_hop: Callable[[Hop], None] | None, overhearing: Overhearing | None = None,
    patience: Patience | None = None, clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Handovers:  # fmt: skip
    """Everything wired, ready to run; delivery goes by `patience` and `clock`. Raises BusError.

    Without `overhearing` nothing that goes over the wires is kept, and nobody can look at messages.
    """
    site = config.plant.site
    shared = config.bus.shared
    aliases = Aliases(config.aliases, journal, shared=shared)
    requests = Requests(bus, journal, observe=lambda text: log.warning("request", what=text), shared=shared)
    intake = Intake(
        bus=bus, journal=journal, owners=owners, aliases=aliases, requests=requests, site=site, shared=shared
    )
    await aliases.catch_up()
    await intake.start()
    policies = {ownership.object: ownership.references for ownership in config.objects}
    known = Known(bus, site, policies, config.plant.equipment)
    outcomes = Outcomes(index, journal, shared=shared)
    observing = Observing(aliases=aliases, intake=intake, outcomes=outcomes, on_hop=on_hop)
    await observing.remember(index, journal, config)
    delivery = Delivery(
        js=bus.js, journal=journal, site=site, publish=bus.publish,
        targets=make_targets(
            config, sessions.values(), owners, take_in=intake.accept, requests=requests, bus=bus, aliases=aliases
        ),
        observe=observing.hop, prepare=make_prepare(aliases, known, requests), shared=shared, patience=patience,
        clock=clock, overhear=overhearing.hear if overhearing else None,
    )  # fmt: skip
    observing.delivery = delivery
    _begin_at_nought(observing.metrics, config.systems, delivery.targets)
    refusals = Refusals(site, journal)
    await refusals.listen(bus)
    translating = Translating(
        config=config, owners=owners, bus=bus, journal=journal, index=index, intake=intake, aliases=aliases
    )  # fmt: skip
    replays = Replays(
        config=config, bus=bus, journal=journal, index=index, delivery=delivery, translating=translating
    )  # fmt: skip
    bulk = BulkActions(journal=journal, delivery=delivery, intake=intake, systems=config.systems)
    desk = FrontDesk(
        config=config, bus=bus, journal=journal, sessions=sessions, intake=intake, delivery=delivery,
        observing=observing, storage=storage, replays=replays, bulk=bulk,
    )  # fmt: skip
    unsent = UnsentMessages(delivery, lambda: desk.neighbours)
    desk.take(unsent)
    desk.take(NightShift(config=config, journal=journal, index=index, notes=desk.notes, status=desk.status))
    desk.take(JourneysTopic(index, journal, unsent))
    if overhearing is not None:
        passage = Passage(site=site, bus=bus, journal=journal, index=index, delivery=delivery, aliases=aliases)
        overhearing.count = lambda target, why: observing.metrics.exchanges_dropped.labels(target, why.value).inc()
        exchanged = Exchanged(overhearing, lambda: desk.neighbours)
        desk.take(exchanged)
        desk.take(StagesTopic(passage, journal, delivery, exchanged))
        desk.take(TapTopic(bus, delivery, list(config.systems)))
    arbitration = Arbitration(
        config=config, bus=bus, journal=journal, index=index, sessions=sessions, intake=intake, replays=replays,
        undertaken=desk.undertaken,
    )  # fmt: skip
    desk.take(Disagreements(config, journal, arbitration))
    desk.take(Floor(config.plant, Reading(bus, index)))
    desk.take(OwnershipMatrix(config, journal, index, observing.flows))
    desk.take(MessagesTopic(config=config, bus=bus, journal=journal, index=index, unsent=unsent))
    trying = Trying()
    desk.take(SigningIn(journal, config.http, trying))
    desk.take(OwnPassword(journal, trying))
    desk.take(People(journal))
    desk.take(SearchesTopic(journal))
    return Handovers(
        intake=intake, delivery=delivery, requests=requests, refusals=refusals, observing=observing, outcomes=outcomes,
        feeder=Feeder(
            bus.js, index, observing.stored, unreadable=refusals.contradicted, bodies=config.bus.search_bodies
        ), replays=replays, bulk=bulk,
        desk=desk, overhearing=overhearing,
        housekeeping=Housekeeping(bus=bus, journal=journal, index=index, aliases=aliases, intake=intake),
    )  # fmt: skip
