"""A history of as many messages as wanted, in an index and a journal of their own, made through their real tables.

A plant as it is: the ERP states orders and materials, the MES confirms and consumes, the QMS decides. Most of it was
delivered at once; one in five hundred had trouble, some hundred messages wait.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import insert

from mombus.index import texts
from mombus.index.tables import hops, messages, read_from, refs
from mombus.journal import deliveries, waiting
from mombus.journal.waiting import Wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from mombus.journal.journal import Journal

END = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVERY = timedelta(seconds=1.7)
"""Between two messages: a million in three weeks."""
PART = 5000
IN_ORDER = 25
"""Messages of one order."""
LINES, MATERIALS = 8, 500
OBJECTS = (
    ("production_order", "erp", "mes"), ("job_order", "mes", "wms"), ("production_response", "mes", "erp"),
    ("material_consumption", "mes", "wms"), ("material_consumption", "mes", "wms"), ("quality_result", "qms", "mes"),
    ("inventory_movement", "wms", "erp"), ("material_lot", "mes", "qms"),
)  # fmt: skip
TARGETS = ("erp", "mes", "qms", "wms")
WORDS = ("filled", "bottles", "spring", "water", "capper", "label", "pallet", "shift", "early", "late", "rework")


class Made(NamedTuple):
    """One message, with what it names and what became of it."""

    row: dict[str, Any]
    refs: list[dict[str, Any]]
    words: str
    target: str
    state: str
    attempts: int
    waits: Wait | None


async def fill(index: Journal, journal: Journal, count: int) -> None:
    """Write that many."""
    await index.write(lambda c: c.execute(insert(read_from).values(stream="MOM", created=END)))
    await journal.write(lambda c: [deliveries.settle(c, target, count) for target in TARGETS])
    for start in range(1, count + 1, PART):
        part = [_made(seq, count) for seq in range(start, min(start + PART, count + 1))]
        await index.write(partial(_index, part=part))
        await journal.write(partial(_journal, part=part))


def _made(seq: int, count: int) -> Made:
    order, step = divmod(seq, IN_ORDER)
    name, source, target = OBJECTS[step % len(OBJECTS)]
    at = END - EVERY * (count - seq)
    key = f"PO-{order:06}" if name == "production_order" else f"X-{seq:08}"
    trouble = seq % 500 == 0
    waits = (Wait.PARKED if seq % 2 else Wait.RETRYING) if seq % 5000 == 17 else None
    state = "rejected" if trouble and step % 2 else "skipped" if trouble else "delivered"
    row = {
        "seq": seq, "id": blake2b(str(seq).encode(), digest_size=16).hexdigest(), "object": name,
        "verb": "process" if seq % 997 == 0 else "sync", "action": "Change", "source": source, "recipient": None,
        "key": key, "lane": f"order:PO-{order:06}", "revision": step, "occurred": at - timedelta(seconds=2),
        "recorded": at, "stored": at, "correlation": None, "document": None, "reason": None,
    }  # fmt: skip
    material, lot = f"FG-{seq * 7 % MATERIALS}", f"L-{order:06}-{step % 3}"
    named = {(name, key), ("production_order", f"PO-{order:06}"), ("equipment", f"LINE{order % LINES}"),
             ("material", material), ("material_lot", lot)}  # fmt: skip
    if target == "erp":
        named.add(("document", f"49{seq:08}"))
    said = " ".join(WORDS[(seq * step + place) % len(WORDS)] for place in range(6))
    words = f"{key} {key[:2]} {seq} po-{order:06} line{order % LINES} {material} {lot} {said} n{seq % 4999}"
    return Made(row, [{"object": o, "value": v, "seq": seq} for o, v in named], words.lower(), target, state,
                4 if seq % 200 == 0 else 1, waits)  # fmt: skip


def _index(connection: Connection, part: list[Made]) -> None:
    connection.execute(insert(messages), [made.row for made in part])
    connection.execute(insert(refs), [ref for made in part for ref in made.refs])
    connection.execute(insert(hops), [
        {"seq": made.row["seq"], "target": made.target, "state": made.state, "attempts": made.attempts}
        for made in part if made.waits is None
    ])  # fmt: skip
    texts.add(connection, [(made.row["seq"], made.words) for made in part])


def _journal(connection: Connection, part: list[Made]) -> None:
    deliveries.record(connection, list(_outcomes(part)))
    waiting.put(connection, list(_waiting(part)))


def _outcomes(part: list[Made]) -> Iterator[dict[str, Any]]:
    for made in part:
        if made.waits is None:
            document = next((ref["value"] for ref in made.refs if ref["object"] == "document"), None)
            yield {
                **_handed(made), "outcome": made.state, "level": "posted", "document": document,
                "reason": None if made.state == "delivered" else "the period is closed", "late": False,
                "attempts": made.attempts, "at": made.row["stored"] + timedelta(seconds=1), "reply_headers": None,
                "reply_content": None, "replied": True,
            }  # fmt: skip


def _waiting(part: list[Made]) -> Iterator[dict[str, Any]]:
    for made in part:
        if made.waits is not None:
            yield {
                **_handed(made), "revision": made.row["revision"], "lanes": json.dumps([made.row["lane"]]),
                "kind": made.waits, "reason": "the period is closed", "since": made.row["stored"], "attempts": 30,
                "due": None, "deadline": None, "waived": False, "missing_object": None, "missing_id": None,
                "replay": None, "history": 0, "headers": "{}", "content": b"{}" * 200,
            }  # fmt: skip


def _handed(made: Made) -> dict[str, Any]:
    row = made.row
    return {"target": made.target, "message_id": row["id"], "seq": row["seq"], "object": row["object"],
            "key": row["key"]}  # fmt: skip
