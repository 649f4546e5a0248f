"""How long nothing is delivered when a hub is killed at work and started again at once.

The hub reads materials from a connector that states them and delivers them to one that takes them, with embedded broker
and journal. It is killed (SIGKILL) while it does; the time from the kill to the first handover that the journal has of
the second hub counts. The machine's start of a process, the broker's recovery of its store and the opening of every
consumer are in it.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from bench.figure import Aim, Figure
from bench.hub import free_port, running
from bench.memory import ROUTES, install

KEYS = 1_000_000
"""More than are read before the kills."""
AT_WORK = 2_000
DEADLINE_S = 60.0
_LOOK_AGAIN_S = 0.02


def run(quick: bool) -> list[Figure]:
    """Seconds from the kill to the next handover."""
    often = 1 if quick else 5
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        install(folder / "site")
        (folder / "routes.yaml").write_text(ROUTES.format(port=port, keys=KEYS), "utf-8")
        seconds = _recoveries(folder, port, often)
    return [
        Figure(
            name="from a hub's kill to the next handover", value=median(seconds), unit="s",
            aim=Aim("value", "most", 5), note=f"median of {often}, most {max(seconds):.1f} s",
        )
    ]  # fmt: skip


def _recoveries(folder: Path, port: int, often: int) -> list[float]:
    seconds: list[float] = []
    killed_at: float | None = None
    for _ in range(often + 1):
        before = _delivered(folder)
        with running([folder / "routes.yaml"], port, [folder / "site"]) as hub:
            _more_than(folder, before)
            if killed_at is not None:
                seconds.append(time.monotonic() - killed_at)
            _more_than(folder, before + AT_WORK)
            hub.kill()
            hub.wait()
            killed_at = time.monotonic()
    return seconds


def _more_than(folder: Path, number: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while _delivered(folder) <= number:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no more than {number} handovers after {DEADLINE_S:g} s")
        time.sleep(_LOOK_AGAIN_S)


def _delivered(folder: Path) -> int:
    """How many handovers the journal has."""
    journal = folder / "hub" / "journal.sqlite"
    if not journal.exists():
        return 0
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True, timeout=10)) as database:
        try:
            return int(database.execute("SELECT count(*) FROM deliveries").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
