"""Transactions of hubs that stand still inside them: their locks would make every other hub wait.

PostgreSQL ends by itself a session that is idle in a transaction, but takes one for active that has sent the first of
several statements and not the last: of a hub that is stopped just then it keeps the locks for ever. Its own user may
end it. What it had begun is undone; should the hub go on, it finds its connection gone and asks again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from mombus.journal.databases import APPLICATION

if TYPE_CHECKING:
    from sqlalchemy import Connection

STILL_S = 1.5
"""A hub that runs says the next thing within milliseconds: nobody else is waited for inside a transaction."""

_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND application_name = :application"
    " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND wait_event = 'ClientRead'"
    " AND state_change < clock_timestamp() - make_interval(secs => :still_s)"
)


def end_stalled(connection: Connection) -> int:
    """End the hubs' sessions that have been waiting for their hub inside a transaction for STILL_S; how many."""
    ended = connection.execute(_END, {"application": APPLICATION, "still_s": STILL_S}).scalars().all()
    return sum(ended)
