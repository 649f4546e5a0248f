"""What a target has in hand: entries, their lanes, whose turn it is, and how far everything is settled."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Generic, TypeVar

from mombus.delivery.lanes import Entry, Lanes, Phase
from mombus.delivery.owing import Owing
from mombus.delivery.stock import Stock
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from canonical.message import Message
    from connectors.connector import Offer

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")
RECENT = 20_000
MOST_BYTES = 64 * 1024 * 1024
"""About so much is in memory of what is read, and so much of what was waiting: a target may be away for days."""
OVERHEAD_BYTES = 2000
"""What a message takes beside its body."""
GONE_BEFORE = 100
"""So many that went another way may stand among those whose turn it is, before they are taken out."""


class Recent(Generic[K, V]):
    """The last things remembered: bridges the moment between a look-up in the journal and what was committed since."""

    def __init__(self, most: int = RECENT) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()

    def put(self, key: K, value: V) -> None:
        """Remember, and forget the oldest."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def get(self, key: K) -> V | None:
        """What is remembered."""
        return self._values.get(key)


class Hand:
    """The entries of one target that aren't dealt with, live or in the waiting room."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.entries: dict[str, Entry] = {}
        self.lanes = Lanes()
        self.newest: dict[tuple[str, str], Entry] = {}
        self.ready: dict[Offer, deque[Entry]] = {}
        self.to_load: deque[Entry] = deque()
        self.recent: Recent[str, bool] = Recent()
        self.recent_revisions: Recent[tuple[str, str], int] = Recent()
        self.recent_entered: Recent[tuple[str, str], int] = Recent()
        self.owing = Owing()
        self.stock = Stock()
        self.awaited: set[tuple[str, str]] = set()
        """The (object, id) that something waits for, or waited for until lately."""
        self._after: dict[str, list[Entry]] = {}
        self._longest: dict[Offer | None, int] = {}
        self._sizes: dict[int, int] = {}
        self.unsettled: set[int] = set()
        self.size = 0
        """The bytes of what is held unacknowledged."""
        self._loaded: dict[str, int] = {}
        self.loaded = 0
        """The bytes of what is back from the waiting room."""
        self.read = 0
        """The highest stream sequence read so far, without a hole before it."""
        self.caught_up = False
        """False until everything that was in hand at a stop has come again: what waits keeps its place behind it."""

    @property
    def live(self) -> int:
        """How many messages are held unacknowledged."""
        return len(self.unsettled)

    def hold(self, entry: Entry) -> None:
        """It was read, and isn't acknowledged until it is settled."""
        self.let_go(entry)
        self.unsettled.add(entry.seq)
        self._sizes[entry.seq] = size = len(entry.in_hand.content)
        self.size += size

    def let_go(self, entry: Entry) -> None:
        """It is acknowledged."""
        self.unsettled.discard(entry.seq)
        self.size -= self._sizes.pop(entry.seq, 0)

    def load(self, entry: Entry, message: Message) -> None:
        """It is back from the waiting room; it may come back once more while it is on its way there again."""
        self.unload(entry)
        entry.message = message
        self._loaded[entry.id] = size = len(message.content) + OVERHEAD_BYTES
        self.loaded += size

    def unload(self, entry: Entry) -> None:
        """Only the waiting room has it, or nobody any more."""
        entry.message = None
        self.loaded -= self._loaded.pop(entry.id, 0)

    def add(self, entry: Entry) -> None:
        """Take an entry in, in its lanes. Its turn is asked for apart."""
        self.entries[entry.id] = entry
        self.lanes.add(entry)
        newest = self.newest.get(entry.thing)
        if entry.revision is not None and (newest is None or (newest.revision or 0) < entry.revision):
            self.newest[entry.thing] = entry

    def outdated(self, entry: Entry) -> bool:
        """True if the target got a newer revision meanwhile, by another lane; a replay may bring what it has again."""
        newest = self.recent_revisions.get(entry.thing)
        if entry.revision is None or newest is None:
            return False
        return newest > entry.revision if entry.replay else newest >= entry.revision

    def drop(self, entry: Entry) -> None:
        """It is dealt with: forget it and give their turn to those behind it."""
        entry.phase = Phase.GONE
        del self.entries[entry.id]
        if self.newest.get(entry.thing) is entry:
            del self.newest[entry.thing]
        self.recent.put(entry.id, value=True)
        self.unload(entry)
        for freed in self.lanes.remove(entry):
            self.turn(freed)
        if entry.id not in self.owing:
            self._ended(entry.id)

    def wait_for(self, entry: Entry, message_id: str) -> None:
        """Let an entry wait until a message is ended, and posted if it owes that. A restart makes it look again."""
        entry.owed = message_id
        self._after.setdefault(message_id, []).append(entry)

    def brought(self, message: Message) -> None:
        """The target took a message: what waits for stock that it may have brought is tried again."""
        for entry in self.stock.brought(message):
            if entry.phase is Phase.STORED:
                entry.due = None
                self.turn(entry)

    def paid(self, message_id: str) -> None:
        """A message owes nothing any more."""
        self.owing.remove(message_id)
        self._ended(message_id)

    def turn(self, entry: Entry) -> None:
        """Let an entry go on if it is first in its lanes and nothing else holds it."""
        if not self.lanes.is_first(entry):
            return
        if entry.phase is Phase.QUEUED and entry.offer is not None:
            self._line_up(self.ready.setdefault(entry.offer, deque()), entry, entry.offer)
        elif self.is_free(entry):
            self._line_up(self.to_load, entry, None)

    def is_free(self, entry: Entry) -> bool:
        """True for what waits but needn't wait any longer, except for its turn."""
        return entry.phase is Phase.STORED and self.caught_up and self._released(entry)

    def again(self, entries: Iterable[Entry]) -> None:
        """Entries whose write didn't happen go first again."""
        for entry in reversed(list(entries)):
            entry.phase = Phase.QUEUED
            if entry.offer is not None:
                self.ready.setdefault(entry.offer, deque()).appendleft(entry)

    def catch_up(self) -> None:
        """Everything older has come: what waits may go."""
        if not self.caught_up:
            self.caught_up = True
            for entry in list(self.lanes.firsts()):
                if entry.phase is Phase.STORED:
                    self.turn(entry)

    def settled_through(self, own: Iterable[int]) -> int:
        """Up to where all is settled once `own` is: the journal's position for the next start."""
        open_ones = self.unsettled.difference(own)
        return min(open_ones) - 1 if open_ones else self.read

    def _line_up(self, queue: deque[Entry], entry: Entry, offer: Offer | None) -> None:
        """Behind the others. Nobody takes them while the target is away: what went another way must not pile up."""
        if not queue:
            self._longest[offer] = GONE_BEFORE
        queue.append(entry)
        if len(queue) > self._longest.get(offer, GONE_BEFORE):
            still = dict.fromkeys(one for one in queue if one.phase is entry.phase)
            queue.clear()
            queue.extend(still)
            self._longest[offer] = max(GONE_BEFORE, 2 * len(queue))

    def _ended(self, message_id: str) -> None:
        for entry in self._after.pop(message_id, ()):
            if entry.owed == message_id:
                entry.owed = None
                if entry.phase is Phase.STORED:
                    self.turn(entry)

    def _released(self, entry: Entry) -> bool:
        if entry.kind in {Wait.BEHIND, Wait.REPLAYED}:
            return True
        if entry.kind is Wait.AFTER and entry.owed is not None:
            return False
        return entry.kind is not None and entry.kind.by_time and (entry.due is None or entry.due <= self._now())
