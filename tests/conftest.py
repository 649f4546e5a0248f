"""What all tests share: contract suites imported by name, journals in either database, records of what survives."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import proof as reliability
import pytest
from databases import new_database
from httpx._config import DEFAULT_TIMEOUT_CONFIG as USUALLY
from httpx._transports import default as client
from hypothesis import HealthCheck, settings
from patience import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest.register_assert_rewrite("connectors.contract")

FAULTS, PAGES = (Path(__file__).parent / name for name in ("faults", "browser"))
EARLY = 0.8
MEMORY, ROOM_BYTES = Path("/dev/shm"), 8 * 1024**3  # noqa: S108 - pytest makes a folder of its own in it
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long one example takes says more about the machine than about what is tested."""
ROWS = pytest.StashKey[list[reliability.Row]]()
RAN = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proof", action="store_true", help="run the tests of faults only, and write what they saw")
    parser.addoption("--screenshots", action="store_true", help="write what the browser shows into docs/screenshots/")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS], config.stash[RAN] = [], set()
    hear_interrupts()
    read_authorities_once()
    wait_long_for_answers()
    settings.load_profile("busy")
    keep_files_in_memory()


def hear_interrupts() -> None:
    """A shell that starts this in the background has it ignore Ctrl-C, and so would every command the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def keep_files_in_memory() -> None:
    """Where there is room: all that hubs, brokers and databases write goes through to the disk at once, which is slow.

    Processes are killed in tests, but nobody pulls the plug: what was written is there either way.
    """
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def read_authorities_once() -> None:
    """A client reads all authorities of the world when it is made, 20 ms each time: here they all share what one read.

    Whoever names authorities or certificates gets what it names.
    """
    create = client.create_ssl_context

    @cache
    def usual() -> ssl.SSLContext:
        return create()

    def shared(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        return usual() if verify is True and cert is None else create(verify, cert, trust_env)

    client.create_ssl_context = shared


def wait_long_for_answers() -> None:
    """A client that names no time waits five seconds, which a server on a busy machine may need."""
    USUALLY.connect = USUALLY.read = USUALLY.write = USUALLY.pool = PATIENCE_S


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--proof"):
        proofs = [item for item in items if "proof" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=[item for item in items if item not in proofs])
        items[:] = proofs
    elif hasattr(config, "workerinput"):
        items[:] = spread(items, config.workerinput["workercount"])


def spread(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The files of faults, which take long and mostly wait, evenly among the others: no worker gets all of them.

    Each worker begins with its share of all, in this order; none of those comes last, when the others have nothing
    left to do meanwhile. What shares something stays together: the tests of a file, and those of all pages.
    """
    blocks: dict[Path, list[pytest.Item]] = {}
    for item in items:
        blocks.setdefault(PAGES if PAGES in item.path.parents else item.path, []).append(item)
    slow = [block for path, block in blocks.items() if FAULTS in path.parents]
    others = [block for path, block in blocks.items() if FAULTS not in path.parents]
    placed = [(early((number + 0.5) / len(slow), workers), block) for number, block in enumerate(slow)]
    done, every = 0, sum(map(len, others)) or 1
    for block in others:
        placed.append(((done + len(block) / 2) / every, block))
        done += len(block)
    return [item for _, block in sorted(placed, key=lambda one: one[0]) for item in block]


def early(place: float, workers: int) -> float:
    """A place among all, from 0 to 1, moved into the first part of its worker's share."""
    share, within = divmod(place * workers, 1)
    return (share + EARLY * within) / workers


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """A folder on a disk: the streams of a cluster set more room aside than there is in memory."""
    with TemporaryDirectory(prefix="mombus-") as folder:
        yield Path(folder)


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Iterator[reliability.Proof]:
    """Records what a test of a fault saw; tests/proof.py says how."""
    path = request.path.relative_to(Path(__file__).parents[1]).as_posix()
    recording = reliability.Proof(f"{path}::{request.node.name}", full=request.config.getoption("--proof"))
    yield recording
    request.config.stash[RAN].add(f"{path}::{request.node.name}")
    request.config.stash[ROWS] += recording.rows


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--proof"):
        reliability.write(session.config.stash[ROWS], session.config.stash[RAN], stands=reliability.stands)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database for a journal: what a test of the journal says holds for both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    return new_database()


@pytest.fixture
def postgresql() -> str:
    """The URL of an empty PostgreSQL database."""
    return new_database()
