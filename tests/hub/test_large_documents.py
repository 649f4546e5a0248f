"""Large documents through the ERP's door: in parts, in bounded memory, each item once, answered once."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from hub_plant import Asker, config, wire
from patience import until
from pydantic import TypeAdapter
from small_documents import enveloped, order, schedule

from canonical.b2mml import DocumentError, Seen, read, split, survey
from connectors.connector import Accept, Effect, Offer, Receipt
from connectors.erp.connector import ErpB2mmlConfig
from connectors.protocols.soap import door
from mombus.bus.streams import MOM, RAW
from mombus.cli import b2mml
from mombus.config.model import Route
from mombus.desk.kept import KeptItems
from mombus.hub.hub import open_hub

SOAP = {"Content-Type": "text/xml", "SOAPAction": '""'}
PLAIN = {"Content-Type": "application/xml"}
MARK = "<Mark/>"
MANY = 2_600


def document(orders: Iterator[str], *, soap: bool = False) -> Iterator[bytes]:
    whole = schedule(MARK)
    head, tail = (enveloped(whole) if soap else whole).split(MARK.encode())
    yield head
    for one in orders:
        yield one.encode()
    yield tail


def many(count: int, *, bad: tuple[int, ...] = (), more: str = "") -> Iterator[str]:
    return (order(f"PO-{n}", "many" if n in bad else "240", more) for n in range(count))


class Target(Asker):
    """Counts what it gets, in order."""

    accepts = {Offer("production_order"): Accept(Effect.IDEMPOTENT, batch=100)}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[str, int] = {}
        self.twice: list[str] = []

    async def write(self, messages: Any) -> list[Receipt]:
        for message in messages:
            self.twice += [message.key] if message.key in self.sizes else []
            self.sizes[message.key] = len(message.content)
        return [Receipt() for _ in messages]


@asynccontextmanager
async def plant(monkeypatch: pytest.MonkeyPatch, folder: Path, target: Target) -> AsyncIterator[Any]:
    wire(monkeypatch, {"mes": target})
    erp = TypeAdapter(ErpB2mmlConfig).validate_python({
        "connector": "erp.b2mml", "url": "http://127.0.0.1:9/erp?wsdl",
        "door": {"max_bytes": 200_000_000, "body_timeout_s": 120},
    })  # fmt: skip
    made = config(
        folder, "mes", owns={"production_order": "erp"}, routes=(Route(object="production_order", to=("mes",)),),
        erp=erp,
    )  # fmt: skip
    async with open_hub(made) as hub, httpx.AsyncClient(trust_env=False, timeout=120) as http:
        hub.http = http
        yield hub


async def post(hub: Any, content: Iterator[bytes], headers: dict[str, str]) -> httpx.Response:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in content:
            yield chunk

    return await hub.http.post(f"{hub.url}/in/erp", content=chunks(), headers=headers)


def test_parts_say_what_the_whole_says_in_its_order():
    content = b"".join(document(many(2_500, bad=(7,))))
    whole = read(content, source="erp", site="lyon", recorded=_now())
    parts = list(split(BytesIO(content)))
    documents, seen = [], Seen()
    for part in parts:
        documents.append(read(part, source="erp", site="lyon", recorded=whole.messages[0].recorded, seen=seen))
    assert len(parts) == 3
    assert [m.content for one in documents for m in one.messages] == [m.content for m in whole.messages]
    assert [m.id for one in documents for m in one.messages] == [m.id for m in whole.messages]
    assert [str(f) for one in documents for f in one.findings] == [str(f) for f in whole.findings]
    assert {one.bod_id for one in documents} == {"B-1"}
    twice = b"".join(document(iter([*many(1_500), order("PO-3")])))
    seen = Seen()
    faults = [fault for part in split(BytesIO(twice))
              for fault in read(part, source="erp", site="lyon", recorded=_now(), seen=seen).faults]  # fmt: skip
    assert [(fault.key, "twice" in fault.reason) for fault in faults] == [("PO-3", True)]


BAD = {
    "cut short": (lambda whole: whole[:-30], "not well-formed"),
    "a DTD": (lambda whole: b'<!DOCTYPE x [<!ENTITY e "x">]>' + whole, "DOCTYPE"),
    "gzip": (lambda _whole: b"\x1f\x8b" + bytes(100), "gzip"),
    "nothing": (lambda _whole: b"", "empty"),
    "no document": (lambda _whole: b"<a/>", "namespace"),
    "a huge item": (lambda whole: whole.replace(b"<ID>PO-9<", b"<ID>PO-9" + b" " * 3_000_000 + b"<"), "is over 500000"),
    "broken in the middle": (lambda whole: whole.replace(b"<ID>PO-2000<", b"<ID>PO&nope;<"), "not well-formed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_refused_as_a_whole_is_refused_before_its_first_part_is_used(kind):
    change, words = BAD[kind]
    content = change(b"".join(document(many(2_500))))
    with pytest.raises(DocumentError) as refused:
        survey(BytesIO(content), 500_000)
    assert words in str(refused.value)


def _now() -> Any:
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.now(UTC)


async def test_a_large_order_and_a_large_schedule_arrive_and_refused_items_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(door, "LARGE", 500_000)
    target = Target()
    async with plant(monkeypatch, tmp_path, target) as hub:
        answer = await post(hub, document(many(MANY, bad=(3, 2_321)), soap=True), SOAP)
        assert answer.status_code == 200, answer.text
        assert answer.text.count('actionCode="Accepted"') == 1
        assert answer.text.count('actionCode="Rejected"') == 2
        assert "PO-2321" in answer.text
        assert "/Quantity" in answer.text
        assert b"Envelope" in answer.content
        await until(lambda: len(target.sizes) == MANY - 2)
        assert len((await hub.desk.kept.page(KeptItems()))["rows"]) == 2
        again = await post(hub, document(many(MANY, bad=(3, 2_321)), soap=True), SOAP)
        assert again.text.count('actionCode="Rejected"') == 2
        assert (await hub.desk._bus.js.stream_info(MOM)).state.messages == MANY - 2
        assert (await hub.desk._bus.js.stream_info(RAW)).state.messages >= 3
        long = "".join(f"<Description>{'x' * 100_000}</Description>" for _ in range(50))
        answer = await post(hub, document(iter([order("PO-LARGE", more=long)])), PLAIN)
        assert answer.status_code == 200, answer.text
        await until(lambda: "PO-LARGE" in target.sizes)
        assert target.sizes["PO-LARGE"] > 5_000_000
        assert target.twice == []
        bad = await post(hub, document(iter([*many(MANY), "<Open>"])), PLAIN)
        assert (bad.status_code, "not well-formed" in bad.text) == (400, True)


KILLED = f"""
import asyncio, sys
sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:2]]!r}
import pytest, test_large_documents as test
from mombus.bus import publishing
from connectors.protocols.soap import door
from pathlib import Path

door.LARGE = 500_000

async def main():
    with pytest.MonkeyPatch.context() as patch:
        async with test.plant(patch, Path(sys.argv[1]), test.Target()) as hub:
            print("up", flush=True)
            await test.post(hub, test.document(test.many(int(sys.argv[2]))), test.PLAIN)
            print("done", flush=True)

asyncio.run(main())
"""


def _start(folder: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", KILLED, str(folder), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


async def test_a_kill_in_the_middle_and_the_document_again_leave_each_item_once(monkeypatch, tmp_path):
    monkeypatch.setattr(door, "LARGE", 500_000)
    hub = await asyncio.to_thread(_start, tmp_path, MANY)
    assert hub.stdout is not None
    assert await asyncio.to_thread(hub.stdout.readline) == "up\n"
    streams = tmp_path / ".mombus" / "broker" / "jetstream"

    async def begun() -> bool:
        return sum(file.stat().st_size for file in streams.glob("**/MOM/msgs/*.blk")) > 500_000

    await until(begun)
    hub.send_signal(signal.SIGKILL)
    assert "done" not in await asyncio.to_thread(hub.stdout.read), "killed before the end"
    hub.wait()
    hub.stdout.close()
    target = Target()
    async with plant(monkeypatch, tmp_path, target) as running:
        js = running.desk._bus.js
        before = (await js.stream_info(MOM)).state.messages
        answer = await post(running, document(many(MANY)), PLAIN)
        assert answer.status_code == 200
        stored = (await js.stream_info(MOM, subjects_filter="mom.>")).state
        assert (before < MANY, stored.messages, len(stored.subjects)) == (True, MANY, MANY)


MEASURED = """
import sys
from datetime import UTC, datetime
from canonical.b2mml import Seen, read, split, survey

def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024

def messages(content, seen=None):
    said = {"source": "erp", "site": "lyon", "recorded": datetime.now(UTC)}
    return len(read(content, **said, seen=seen).messages)

with open(sys.argv[1], "rb") as file:
    messages(next(split(file)))
    before = peak()
    file.seek(0)
    survey(file)
    file.seek(0)
    seen = Seen()
    parts = sum(messages(part, seen) for part in split(file))
    in_parts = peak() - before
    file.seek(0)
    print(parts, in_parts, messages(file.read()), peak() - before)
"""


async def test_memory_is_bounded_by_a_part_not_by_the_document(tmp_path):
    path = tmp_path / "large.xml"
    with path.open("wb") as file:
        for chunk in document(many(10_000)):
            file.write(chunk)
    command = [sys.executable, "-c", MEASURED, str(path)]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    parts, in_parts, whole, at_once = map(float, done.stdout.split())
    assert parts == whole == 10_000
    assert in_parts < 25 < at_once, "MiB, beside those of one part"


def test_the_command_reads_large_documents_in_parts(tmp_path, monkeypatch, capsys):
    path = tmp_path / "large.xml"
    with path.open("wb") as file:
        for chunk in document(many(2_500, bad=(3,))):
            file.write(chunk)
    monkeypatch.setattr(b2mml, "LARGE", 1_000)
    with pytest.raises(typer.Exit) as ended:
        b2mml.read_([str(path)], as_json=True)
    shown = capsys.readouterr()
    documents = json.loads(shown.out)
    assert (ended.value.exit_code, len(documents), "PO-3" in shown.err) == (1, 3, True)
    assert sum(len(one["messages"]) for one in documents) == 2_499
