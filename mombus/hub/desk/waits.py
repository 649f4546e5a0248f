"""What waits, told to people: one line for each cause, with the orders it touches and what may be done."""

from __future__ import annotations

import re
import shlex
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from canonical.objects import shown_key
from mombus.delivery.commands import Command
from mombus.journal.waiting import Wait
from mombus.web.words import things, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mombus.journal.causes import Cause
    from mombus.journal.waiting import Waiting

    Contacts = Mapping[str, str | None]

PERSON = frozenset({Wait.PARKED, Wait.IN_DOUBT, Wait.HELD, Wait.ALIAS})
"""What only a person ends."""
SHOWN, EACH = 20, 10
"""How many causes are shown with their first messages, and how many of those."""
LANES = 3
ORDER = "order:"
"""What the lane of an order begins with."""
_APART = re.compile(r"\S*[\d'\"`\\]\S*")
"""What isn't named when a reason is: numbers and ids, and quotes, which a shell would want quoted."""
_LEAST_FRAGMENT = 6

_DO = {
    Wait.BEHIND: "nothing: goes after what is before it in its lane",
    Wait.RETRYING: "nothing: tried again{due}; {retry} tries now{stays}",
    Wait.REFERENCE: "nothing: goes when what it names is stated; {release} sends it anyway",
    Wait.ALIAS: "add the alias, it goes then; or {skip}",
    Wait.POSTING: "nothing: {target} is asked again{due}; if it is posted there, {sent} --document NUMBER",
    Wait.AFTER: "nothing: goes when that is posted; or {skip}",
    Wait.STOCK: "nothing: goes when stock comes; or {skip}",
    Wait.PARKED: "mend the cause{call}, then {retry}; or {skip}",
    Wait.IN_DOUBT: "look in {target} whether it is there{call}, then {sent} or {not-sent}",
    Wait.HELD: "{release} lets it go, {skip} doesn't",
    Wait.REPLAYED: "nothing: goes when its turn comes; or {skip}",
}
OFFERED: Mapping[Wait, tuple[Command, ...]] = {
    Wait.BEHIND: (Command.HOLD, Command.SKIP),
    Wait.RETRYING: (Command.RETRY, Command.HOLD, Command.SKIP),
    Wait.REFERENCE: (Command.RELEASE, Command.RETRY, Command.HOLD, Command.SKIP),
    Wait.ALIAS: (Command.RETRY, Command.HOLD, Command.SKIP),
    Wait.POSTING: (Command.RETRY, Command.SENT, Command.SKIP),
    Wait.AFTER: (Command.RETRY, Command.HOLD, Command.SKIP),
    Wait.STOCK: (Command.RETRY, Command.HOLD, Command.SKIP),
    Wait.PARKED: (Command.RETRY, Command.SENT, Command.HOLD, Command.SKIP),
    Wait.IN_DOUBT: (Command.SENT, Command.NOT_SENT, Command.RETRY, Command.HOLD, Command.SKIP),
    Wait.HELD: (Command.RELEASE, Command.SKIP),
    Wait.REPLAYED: (Command.HOLD, Command.SKIP),
}
"""What a person is offered, by why it waits; the likeliest first."""
_COMMANDS = ("retry", "release", "skip", "sent", "not-sent")


def waiting_row(row: Waiting, now: datetime, zone: tzinfo, contacts: Contacts) -> dict[str, Any]:
    """One waiting message; what may be done tells times as in `zone`, and who may help with a system."""
    return {
        "target": row.target, "id": row.message_id, "object": row.object, "key": shown_key(row.object, row.key),
        "lanes": list(row.lanes), "kind": str(row.kind), "person": row.kind in PERSON, "reason": row.reason,
        "since": row.since.isoformat(), "attempts": row.attempts,
        "due": _iso(row.due), "deadline": _iso(row.deadline), "late": row.late(now),
        "age_s": _age_s(row.since, now),
        "do": _do(row.kind, row.target, contacts, _clock(row.due, zone), row.message_id),
        "may": [str(command) for command in OFFERED[row.kind]],
    }  # fmt: skip


def cause_rows(causes: Sequence[Cause], now: datetime, zone: tzinfo, contacts: Contacts) -> list[dict[str, Any]]:
    """One row for each cause; what a person must end comes first, what only waits behind others last.

    What may be done is told as by `waiting_row`.
    """
    ordered = sorted(causes, key=lambda cause: cause.kind not in PERSON)
    return [_cause_row(cause, causes, now, zone, contacts) for cause in ordered]


def trouble(cause: Cause, answers: Mapping[str, str | None]) -> str | None:
    """The cause in a sentence, if a person should do something about it: it waits for one, or it is late.

    `answers`: who answers for each object.
    """
    person = cause.kind in PERSON
    count = cause.count if person else cause.late
    if not count:
        return None
    who = ", ".join(sorted({name for object_ in cause.objects if (name := answers.get(object_))}))
    said = f" ({who} answers for it)" if who and not person else ""
    state = str(cause.kind) if person else "late"
    if cause.count == 1 and cause.first:
        what, key = words(cause.first[0].object), shown_key(cause.first[0].object, cause.first[0].key)
        return f"{what} {key} to {cause.target} is {state}: {cause.reason}{said}"
    like = f" (and {len(cause.reasons) - 1} more like it)" if len(cause.reasons) > 1 else ""
    reason = f": {cause.reason}{like}" if cause.reason else ""
    return f"{things(count, cause.objects)} to {cause.target} {'is' if count == 1 else 'are'} {state}{reason}{said}"


def calling(contact: str | None) -> str:
    """Who may help, as a part of what may be done."""
    return f", or call {contact}" if contact else ""


def _cause_row(
    cause: Cause, causes: Sequence[Cause], now: datetime, zone: tzinfo, contacts: Contacts
) -> dict[str, Any]:
    alone = sum((other.target, other.kind) == (cause.target, cause.kind) for other in causes) == 1
    one = cause.first[0].message_id if cause.count == 1 and cause.first else None
    return {
        "id": cause.id, "target": cause.target, "kind": str(cause.kind), "person": cause.kind in PERSON,
        "reason": cause.reason or "something before it in its lane waits", "reasons": len(cause.reasons),
        "count": cause.count, "since": cause.oldest.isoformat(),
        "age_s": _age_s(cause.oldest, now), "late": cause.late, "due": _iso(cause.due),
        "objects": cause.objects, "orders": _orders(cause), "orders_total": cause.lanes,
        "do": _do(cause.kind, cause.target, contacts, _clock(cause.due, zone), one, None if alone else cause.reason),
        "may": [str(command) for command in OFFERED[cause.kind]],
        "choice": {
            "target": cause.target, "kind": str(cause.kind),
            "reason": None if alone else _fragment(cause.reason) or None,
        },
        "rows": [waiting_row(row, now, zone, contacts) for row in cause.first],
    }  # fmt: skip


def _orders(cause: Cause) -> list[str]:
    """The first of the orders it touches; lanes of other things with what they are."""
    lanes = dict.fromkeys(lane for row in cause.first for lane in row.lanes)
    return [lane.removeprefix(ORDER) for lane in lanes][:LANES]


def _do(  # noqa: PLR0917 - one caller for each of two ways
    kind: Wait, target: str, contacts: Contacts, due: str | None, id: str | None, reason: str | None = None
) -> str:
    """What may be done, as commands: about one message by its id, else about all of the cause."""
    if id is not None:
        chosen = f"{target} {id[:10]}"
    else:
        chosen = f"--all --target {target} --kind {shlex.quote(kind)}"
        chosen += f" --reason {shlex.quote(_fragment(reason))}" if reason and _fragment(reason) else ""
    commands = {name: f"`mombus {name} {chosen}`" for name in _COMMANDS}
    contact = contacts.get(target)
    stays = f"; if it stays like this, call {contact}" if contact else ""
    return _DO[kind].format(
        target=target, call=calling(contact), stays=stays, due=f" at {due}" if due else "", **commands
    )  # fmt: skip


def _fragment(reason: str) -> str:
    """The longest part of a reason without numbers and quotes: what all that is like it have in common."""
    longest = max((part.strip() for part in _APART.split(reason)), key=len)
    return longest if len(longest) >= _LEAST_FRAGMENT else reason


def _age_s(since: datetime, now: datetime) -> float:
    """In seconds; 0 for what another hub's clock noted a little later than this one's."""
    return max(0.0, round((now - since).total_seconds(), 1))


def _clock(time: datetime | None, zone: tzinfo) -> str | None:
    return f"{time.astimezone(zone):%H:%M:%S}" if time else None


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
