"""What native items say: messages, and faults for those that can't be understood."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from connectors.connector import ConfigError, Fault, MappingError
from connectors.protocols.rest.mapping import changed, evaluate, exact_json, message_of, with_offset
from connectors.protocols.rest.settings import Pushed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from canonical.message import Message
    from connectors.connector import Surroundings
    from connectors.protocols.rest.settings import Lookup, Read


AT_ONCE = 20
"""Items understood without a pause."""


class Hearing:
    """Understands the items of one system."""

    def __init__(self, surroundings: Surroundings, timezone: str | None) -> None:
        """Raises ConfigError when there is no such time zone."""
        self._surroundings = surroundings
        try:
            self._local = with_offset(ZoneInfo(timezone) if timezone else surroundings.timezone)
        except (LookupError, ValueError, OSError):
            raise ConfigError(f"there is no time zone '{timezone}', such as Europe/Paris", "timezone") from None

    @property
    def place(self) -> dict[str, Any]:
        """What expressions see where there is neither item nor message."""
        return {"system": self._surroundings.system, "site": self._surroundings.site}

    async def understood(
        self, declared: Read | Pushed, items: Sequence[Any], place: str
    ) -> tuple[list[Message], list[Fault]]:
        """What items say, and those that can't be understood; a posted one that nothing fits is one of these.

        Other tasks get their turn in between: a full page takes a while.
        """
        messages: list[Message] = []
        faults: list[Fault] = []
        recorded = datetime.now(UTC)
        for number, item in enumerate(items, 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                messages += self._said(declared, item, recorded)
            except MappingError as error:
                faults.append(Fault(f"{place}[{number}]", str(error), exact_json(item)))
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one item must not hold up the next
                reason = f"it can't be understood: {type(error).__name__}: {error}"
                faults.append(Fault(f"{place}[{number}]", reason, exact_json(item)))
        return messages, faults

    def answer(self, lookup: Lookup, item: Any, get: Message) -> Message | None:
        """The show that an item is to a get, None when `when` leaves it out. Raises MappingError."""
        says = lookup.says
        item = changed(item, lookup.local_times, self._local)
        if says.when is not None and evaluate(says.when, item) is not True:
            return None
        return message_of(says, item, self._surroundings, datetime.now(UTC), correlation=get.id, to=get.source)

    def _said(self, declared: Read | Pushed, item: Any, recorded: datetime) -> list[Message]:
        item = changed(item, declared.local_times, self._local)
        fitting = [says for says in declared.says if says.when is None or evaluate(says.when, item) is True]
        if not fitting and isinstance(declared, Pushed) and not _ignored(declared, item):
            raise MappingError("nothing that is declared fits this item")
        return [message_of(says, item, self._surroundings, recorded) for says in fitting]


def _ignored(pushed: Pushed, item: Any) -> bool:
    return pushed.ignores is not None and evaluate(pushed.ignores, item) is True
