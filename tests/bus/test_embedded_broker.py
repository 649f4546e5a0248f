from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from patience import until
from sayings import material

from mombus.bus.connection import connect
from mombus.bus.embedded import EmbeddedBroker, executable
from mombus.bus.errors import BrokerError, NotReachable
from mombus.bus.streams import Limits

PARENT = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from mombus.bus.embedded import EmbeddedBroker

    async def main():
        async with EmbeddedBroker(Path(sys.argv[1])) as broker:
            print(broker.pid, flush=True)
            await asyncio.sleep(60)

    asyncio.run(main())
""")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_starts_private_and_on_loopback(tmp_path):
    folder = tmp_path / "broker"
    async with EmbeddedBroker(folder) as broker:
        assert "127.0.0.1" in broker.url
        assert stat.S_IMODE((folder / "nats.conf").stat().st_mode) == 0o600
        password = broker.url.split(":")[2].split("@")[0]
        command = Path(f"/proc/{broker.pid}/cmdline").read_text()  # noqa: ASYNC240
        assert password not in command
        pid = broker.pid
    assert not alive(pid)
    assert not (folder / "broker.pid").exists()


async def test_wrong_password_is_refused_without_telling_it(tmp_path):
    async with EmbeddedBroker(tmp_path) as broker:
        port = broker.url.rpartition(":")[2]
        with pytest.raises(NotReachable) as refused:
            async with connect(f"nats://hub:wrong-secret@127.0.0.1:{port}", timeout_s=2):
                pass
        assert "wrong-secret" not in str(refused.value)


async def test_second_hub_on_the_folder_is_refused_and_named(tmp_path):
    async with EmbeddedBroker(tmp_path):
        with pytest.raises(BrokerError, match=f"process {os.getpid()}"):
            await EmbeddedBroker(tmp_path).start()
    async with EmbeddedBroker(tmp_path):
        pass


async def test_comes_back_on_the_same_address_with_its_messages(tmp_path):
    told: list[str] = []
    async with EmbeddedBroker(tmp_path, observe=told.append) as broker, connect(broker.url, limits=Limits()) as bus:
        await bus.publish(material("A"))
        before = broker.pid
        os.kill(before, signal.SIGKILL)
        stored = await bus.publish(material("B"))
        assert stored.seq == 2
        assert broker.pid != before
        assert bus.link.reconnects == 1
    assert any("SIGKILL" in text for text in told)


async def test_is_never_left_behind_when_the_hub_is_killed(tmp_path):
    hub = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    pid = int(hub.stdout.readline())
    assert alive(pid)
    hub.kill()
    hub.wait()
    hub.stdout.close()
    await until(lambda: not alive(pid))


async def test_an_orphan_on_our_store_is_stopped_first(tmp_path):
    async with EmbeddedBroker(tmp_path):
        pass
    orphan = subprocess.Popen([executable(), "-c", str(tmp_path / "nats.conf")], stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    try:
        await until(lambda: (tmp_path / "broker.pid").exists() and (tmp_path / "broker.pid").read_text())
        told: list[str] = []
        async with EmbeddedBroker(tmp_path, observe=told.append) as broker:
            assert orphan.wait(5) is not None
            assert broker.pid != orphan.pid
        assert f"process {orphan.pid}" in told[0]
    finally:
        orphan.kill()
        orphan.wait()


async def test_failure_to_start_says_the_brokers_own_reason(tmp_path):
    (tmp_path / "jetstream").write_text("in the way")
    with pytest.raises(BrokerError, match="ended at once: Can't start JetStream: storage directory is not a directory"):
        await EmbeddedBroker(tmp_path).start()
