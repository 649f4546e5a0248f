"""The plant as a process: it says where its systems are, and leaves nothing behind however it ends."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import psutil
import pytest

from plant.proof import differences, numbers

ARGUMENTS = ("-m", "plant", "--pace", "0", "--ports", "ephemeral", "--hub", "http://127.0.0.1:9")
START_S = 90


async def started(*more: str) -> tuple[asyncio.subprocess.Process, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *ARGUMENTS, *more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), START_S)
    return process, json.loads(line)


@pytest.fixture
async def plant() -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process, urls = await started()
    yield process, urls
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


async def test_says_where_its_systems_are_and_stops(plant: tuple[asyncio.subprocess.Process, dict[str, Any]]) -> None:
    process, urls = plant
    assert set(urls) == {"erp", "mes", "line1", "qms", "cmms", "wms", "pid"}
    found = await numbers(urls, "PO-4711")
    assert found["line1"]["counters"]["FILLER1"] == {"processed": 0, "defective": 0}
    assert differences(found) == ["the line hasn't completed PO-4711: it has no such job"]
    children = psutil.Process(urls["pid"]).children(recursive=True)
    assert children, "the broker is a process of its own"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), START_S) == 0
    assert process.stderr is not None
    assert await process.stderr.read() == b""
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


async def test_its_broker_dies_with_it(plant: tuple[asyncio.subprocess.Process, dict[str, Any]]) -> None:
    process, urls = plant
    children = psutil.Process(urls["pid"]).children(recursive=True)
    process.kill()
    await process.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
    assert gone
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal is Linux's own")
async def test_dies_with_its_parent() -> None:
    """A shell starts the plant and is killed."""
    command = f"{sys.executable} {' '.join(ARGUMENTS)} --die-with-parent & wait"
    shell = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    assert shell.stdout is not None
    urls = json.loads(await asyncio.wait_for(shell.stdout.readline(), START_S))
    child = psutil.Process(urls["pid"])
    os.kill(shell.pid, signal.SIGKILL)
    await shell.wait()
    await asyncio.to_thread(psutil.wait_procs, [child], 10)
    assert not child.is_running()


async def test_says_why_it_cannot_start() -> None:
    """A port of routes.yaml is taken: here, or by a plant that runs already."""
    async with AsyncExitStack() as stack:
        with suppress(OSError):
            await stack.enter_async_context(await asyncio.start_server(lambda *_: None, "127.0.0.1", 8102))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "plant", "--pace", "0", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        _, words = await asyncio.wait_for(process.communicate(), START_S)
    assert process.returncode == 1
    assert b"the plant can't start" in words
