"""One running hub and one browser for all tests of pages."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from demo_hub import DemoHub, demo_hub
from ports import free_port
from proven import DONE
from visiting import TIMEOUT_MS, Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser

CHROMIUM = Path(os.environ.get("MOMBUS_CHROMIUM", "/usr/bin/chromium"))
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-quic",
)  # fmt: skip
HERE = Path(__file__).parent
DEMO = pytest.StashKey[tuple[DemoHub, ExitStack]]()
"""The demo's hub while it runs, and what ends it."""
sys.path.append(str(HERE.parent / "hub"))
"""Plants that the tests of the hub have made."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser belongs to one event loop: the tests that use it run there."""
    for item in items:
        if HERE in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def pytest_configure(config: pytest.Config) -> None:
    """The marks of these tests."""
    config.addinivalue_line("markers", "proves(*deeds): what this test does in the browser (proven.py)")


@pytest.fixture(autouse=True)
def _done_as_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test says that it proves, it did."""
    DONE.clear()
    yield
    marked = {deed for mark in request.node.iter_markers("proves") for deed in mark.args}
    assert marked - DONE == set(), "the browser didn't send that, or the hub didn't take it"


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: install Debian's package chromium, or name one in MOMBUS_CHROMIUM")
    return CHROMIUM


@pytest.fixture
def demo(chromium: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DemoHub:
    """The demo's hub, after one order: for all tests of pages, so each brings orders of its own to decide about."""
    stash = request.config.stash
    if DEMO not in stash:
        stack = ExitStack()
        stash[DEMO] = stack.enter_context(demo_hub(tmp_path_factory.mktemp("demo"), free_port())), stack
    return stash[DEMO][0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """The demo's hub ends when a test of something else is next, whose time it would take."""
    try:
        return (yield)
    finally:
        if DEMO in item.config.stash and (nextitem is None or HERE not in nextitem.path.parents):
            _, stack = item.config.stash[DEMO]
            del item.config.stash[DEMO]
            stack.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """A running Chromium."""
    from playwright.async_api import async_playwright, expect  # noqa: PLC0415 - only where there is a browser

    expect.set_options(timeout=TIMEOUT_MS)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=QUIET, timeout=TIMEOUT_MS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, demo: DemoHub, request: pytest.FixtureRequest) -> AsyncIterator[Visitor]:
    """Visits the demo's pages; in the end nothing may have gone wrong on any."""
    visitor = Visitor(browser, demo.url, pictures=request.config.getoption("--screenshots"))
    yield visitor
    await visitor.leave()
