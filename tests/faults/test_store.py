"""The disk that broker, journal, spool and index share fills up under load, by somebody else."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from books import Books
from counting_target import CountingTarget
from factory import counted, findable, running
from load import Load
from patience import PATIENCE_S, until
from proof import Part, Proof

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_MIB = 48


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, of SIZE_MIB."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder)], capture_output=True, check=False
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a disk of its own needs the right to mount: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Somebody else's file takes every byte that is free."""
    file = folder / "somebody-elses.bin"
    with file.open("wb") as out:
        try:
            while True:
                os.write(out.fileno(), bytes(4096))
        except OSError:
            return file


async def ready(url: str) -> tuple[int, str]:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as http:
        answer = await http.get(f"{url}/readyz")
        return answer.status_code, answer.text


async def test_full_disk_takes_nothing_in_says_so_and_goes_on_when_there_is_room(tmp_path: Path, proof: Proof) -> None:
    target = CountingTarget(Books(tmp_path / "books.db"))
    await target.start()
    with small_disk(tmp_path / "disk") as disk:
        async with running(
            tmp_path, {"erp": findable(target.port)}, bus={"folder": str(disk / "hub")}
        ) as hub:  # fmt: skip
            sending = Load(lambda: hub.url, lanes=10, pause_s=0.05)
            work = asyncio.create_task(sending.send(60))
            await until(lambda: target.books.size() > 50)
            filler = fill(disk)
            await until(lambda: sending.again > 5)
            at_full, before = len(sending.sent), await ready(hub.url)
            await asyncio.sleep(3)
            stood = len(sending.sent)
            filler.unlink()
            await asyncio.wait_for(work, 120)
            count = await counted(target.books, sending.sent)
            await until_ready(hub.url)
    await target.stop()
    assert (before[0], "disk: " in before[1]) == (503, True), before
    assert stood == at_full < len(sending.sent)
    assert count.right, count
    proof(
        Part.BROKER, fault="disk full (tmpfs), filled by somebody else; room after 3 s",
        load=f"{len(sending.sent)} facts in 10 lanes",
        expected="no false acknowledgement, /readyz says so, goes on by itself",
        seen=f"503 with the reason, {sending.again} posts turned away, then: {count}",
    )  # fmt: skip


async def until_ready(url: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await ready(url))[0] != httpx.codes.OK:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def test_a_hub_killed_on_a_full_disk_takes_up_its_work_once_there_is_room(tmp_path: Path, proof: Proof) -> None:
    target = CountingTarget(Books(tmp_path / "books.db"))
    await target.start()
    with small_disk(tmp_path / "disk") as disk:
        async with running(tmp_path, {"erp": findable(target.port)}, bus={"folder": str(disk / "hub")}) as hub:
            sending = Load(lambda: hub.url, lanes=10, pause_s=0.05)
            work = asyncio.create_task(sending.send(40))
            await until(lambda: target.books.size() > 50)
            filler = fill(disk)
            await until(lambda: sending.again > 3)
            await hub.kill()
            stood = len(sending.sent)
            filler.unlink()
            await hub.start()
            await hub.ready()
            await asyncio.wait_for(work, 120)
            count = await counted(target.books, sending.sent)
    await target.stop()
    assert stood < len(sending.sent)
    assert count.right, count
    proof(
        Part.BROKER, fault="SIGKILL of hub and broker on a full disk (tmpfs); started again when there is room",
        load=f"{len(sending.sent)} facts in 10 lanes", expected="no false acknowledgement; the restart heals",
        seen=f"{stood} acknowledged until the kill, {sending.again} posts turned away: {count}",
    )  # fmt: skip
