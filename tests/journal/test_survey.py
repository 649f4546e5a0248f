"""What people ask of the journal may take long: what delivery looks up doesn't wait for it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from sqlalchemy import text

from mombus.journal.journal import Journal

if TYPE_CHECKING:
    from sqlalchemy import Connection


async def test_a_look_up_and_a_commit_pass_a_long_survey(store: str) -> None:
    journal = await Journal.open(store)
    begun, over = threading.Event(), threading.Event()

    def long(connection: Connection) -> str:
        connection.execute(text("SELECT 1"))
        begun.set()
        assert over.wait(30)
        return "surveyed"

    surveying = asyncio.create_task(journal.survey(long))
    try:
        assert await asyncio.to_thread(begun.wait, 30)
        assert await journal.read(lambda c: c.execute(text("SELECT 2")).scalar()) == 2
        await journal.write(lambda c: c.execute(text("CREATE TABLE jottings(name TEXT PRIMARY KEY)")))
        assert not surveying.done()
    finally:
        over.set()
    assert await surveying == "surveyed"
    await journal.close()
