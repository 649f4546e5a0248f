"""What a machine says over OPC UA, and what becomes of it: statuses, times, numbers, losses, missing nodes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import ua
from opcua_bench import ROOT, SIGNALS, ServerProcess, job_order, machine, mark, plc, signals_file
from patience import PATIENCE_S, until

from connectors.connector import Gap, Health, Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from connectors.plc.opcua import PlcOpcua


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("opcua")).start()
    yield process
    process.kill()


class Listener:
    """Everything a source said since it listens."""

    def __init__(self, source: PlcOpcua) -> None:
        self.items: list[Item] = []
        self.ended = False
        self._news = asyncio.Event()
        self._source = source

    async def listen(self) -> None:
        try:
            async for item in self._source.read(None):
                self.items.append(item)
                self._news.set()
        finally:
            self.ended = True
            self._news.set()

    def readings(self, signal: str) -> list[Any]:
        return [
            reading
            for item in self.items
            for message in item.messages
            if not isinstance(message, Gap)
            for reading in message.body.reading
            if reading.signal == signal
        ]

    @property
    def gaps(self) -> list[Gap]:
        return [message for item in self.items for message in item.messages if isinstance(message, Gap)]

    async def until(self, condition: Callable[[], Any], within_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                assert not self.ended, "the reading has ended"
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listening(source: PlcOpcua) -> AsyncIterator[Listener]:
    await source.connect()
    listener = Listener(source)
    task = asyncio.create_task(listener.listen())
    try:
        yield listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await source.close()


async def heard(server: ServerProcess, folder: Path, node: str, value: Any, **data: Any) -> Any:
    """The reading that the bench's node gives when it is written."""
    signal = node.lower()
    async with listening(plc(server.url, signals_file(folder))) as listener, machine(server.url) as bench:
        await listener.until(lambda: listener.readings(signal))
        before = len(listener.readings(signal))
        await bench.write(node, value, **data)
        await listener.until(lambda: len(listener.readings(signal)) > before)
        return listener.readings(signal)[-1]


async def test_a_good_value_keeps_its_time_and_digits(server: ServerProcess, tmp_path: Path) -> None:
    at = datetime.now(UTC) - timedelta(seconds=7)
    reading = await heard(server, tmp_path, "Number", 12.1, SourceTimestamp=at)
    assert (reading.value, reading.unit_of_measure, reading.quality) == (Decimal("12.1"), "MLT", "good")
    assert abs(reading.source_time - at) < timedelta(microseconds=2)


async def test_a_single_float_has_the_digits_it_means(server: ServerProcess, tmp_path: Path) -> None:
    assert (await heard(server, tmp_path, "Single", 0.1)).value == Decimal("0.1")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
async def test_a_good_value_that_is_no_number_is_bad(server: ServerProcess, tmp_path: Path, value: float) -> None:
    reading = await heard(server, tmp_path, "Number", value)
    assert (reading.value, reading.quality) == (None, "bad")
    assert reading.status in {"Good;NotANumber", "Good;OutOfRange"}


@pytest.mark.parametrize(("code", "quality"), [("BadSensorFailure", "bad"), ("UncertainLastUsableValue", "uncertain")])
async def test_a_status_keeps_its_name(server: ServerProcess, tmp_path: Path, code: str, quality: str) -> None:
    status = ua.StatusCode(getattr(ua.StatusCodes, code))
    reading = await heard(server, tmp_path, "Number", 3.5, StatusCode=status)
    assert (reading.status, reading.quality) == (code, quality)
    assert reading.value == (None if quality == "bad" else Decimal("3.5"))


@pytest.mark.parametrize("year", [1601, 9999])
async def test_a_placeholder_is_no_time(server: ServerProcess, tmp_path: Path, year: int) -> None:
    placeholder = datetime(year, 12, 31, tzinfo=UTC) if year == 9999 else datetime(1601, 1, 1, tzinfo=UTC)
    reading = await heard(server, tmp_path, "Number", float(year), SourceTimestamp=placeholder)
    assert abs(reading.source_time - datetime.now(UTC)) < timedelta(seconds=5)
    assert reading.status in {"Good;ServerTime", "Good;ReceiveTime"}


async def test_states_are_packml_words(server: ServerProcess, tmp_path: Path) -> None:
    assert (await heard(server, tmp_path, "State", 11)).state == "Held"
    unknown = await heard(server, tmp_path, "State", 42)
    assert (unknown.state, unknown.text) == (None, "42")


async def test_a_negative_count_is_bad(server: ServerProcess, tmp_path: Path) -> None:
    reading = await heard(server, tmp_path, "Counter", -3)
    assert (reading.count, reading.quality, reading.status) == (None, "bad", "Good;NotACount")


async def test_a_huge_array_is_a_fault_and_the_rest_goes_on(server: ServerProcess, tmp_path: Path) -> None:
    async with listening(plc(server.url, signals_file(tmp_path))) as listener, machine(server.url) as bench:
        try:
            await bench.write("Array", [0.0] * 1_000_001)
            text = mark()
            await bench.write("Mark", text)
            await listener.until(lambda: any(reading.text == text for reading in listener.readings("mark")))
            await listener.until(lambda: any(item.faults for item in listener.items))
        finally:  # everybody who subscribes gets it
            await bench.write("Array", [1.0, 2.5])
        fault = next(fault for item in listener.items for fault in item.faults)
        assert fault.place == "BENCH1/array"
        assert "1000001 elements" in fault.reason
        await listener.until(lambda: any(reading.text == "[1.0, 2.5]" for reading in listener.readings("array")))


async def test_the_overflow_bit_is_a_gap(server: ServerProcess, tmp_path: Path) -> None:
    async with listening(plc(server.url, signals_file(tmp_path))) as listener, machine(server.url) as bench:
        await bench.write("Number", 71.5, StatusCode=ua.StatusCode(0x480))
        await listener.until(lambda: listener.gaps)
        gap = listener.gaps[0]
        assert (gap.what, gap.equipment, gap.lost) == ("BENCH1/number", "BENCH1", 1)
        assert listener.readings("number")[-1].value == Decimal("71.5")


async def test_a_full_queue_counts_what_it_drops(server: ServerProcess, tmp_path: Path) -> None:
    """Nobody asks for the next item while 600 values come: 100 may wait, what is dropped is told to the number."""
    source = plc(server.url, signals_file(tmp_path), buffer=100, batch=50)
    await source.connect()
    items = source.read(None)
    await anext(items)
    async with machine(server.url) as bench:
        for number in range(600):
            await bench.write("Number", 1000.0 + number)
    seen: list[Decimal] = []
    lost = 0
    async with asyncio.timeout(PATIENCE_S):
        while not seen or seen[-1] != 1599:
            item = await anext(items)
            lost += sum(message.lost or 0 for message in item.messages if isinstance(message, Gap))
            for message in item.messages:
                if not isinstance(message, Gap):
                    seen += [r.value for r in message.body.reading if r.signal == "number" and r.value >= 1000]
    await items.aclose()
    await source.close()
    assert lost >= 400
    assert lost + len(seen) == 600


MISSING = (
    SIGNALS
    + """\
      - {signal: gone, node: Unknown, object: count}
      - {signal: elsewhere, node: "/Objects/{urn:nobody}Thing", object: count}
      - {signal: number7, node: "nsu=urn:acme:bench;i=987654", object: count}
"""
)


async def test_nodes_that_are_not_there_block_nobody(server: ServerProcess, tmp_path: Path) -> None:
    source = plc(server.url, signals_file(tmp_path, MISSING))
    async with listening(source) as listener:
        await listener.until(lambda: listener.readings("number"))
        probe = await source.probe()
        assert probe.health is Health.DEGRADED
        for part in ("BENCH1/gone", "BadNoMatch", "urn:nobody", "BENCH1/number7", "BadNodeIdUnknown"):
            assert part in probe.reason


async def test_connected_without_data_is_degraded(server: ServerProcess, tmp_path: Path) -> None:
    source = plc(server.url, signals_file(tmp_path), watchdog_s=0.3)
    async with listening(source) as listener, machine(server.url) as bench:
        await listener.until(lambda: listener.readings("number"))
        await asyncio.sleep(0.4)
        probe = await source.probe()
        assert probe.health is Health.DEGRADED
        assert "no data for" in probe.reason
        assert probe.last_data is not None

        async def well() -> bool:
            await bench.write("Mark", mark())
            return (await source.probe()).health is Health.OK

        await until(well)


async def test_what_is_told_again_has_the_same_id(server: ServerProcess, tmp_path: Path) -> None:
    """A server tells the current values at each new subscription."""
    ids = []
    for _ in range(2):
        async with listening(plc(server.url, signals_file(tmp_path))) as listener:
            await listener.until(lambda: listener.readings("number") and listener.readings("counter"))
            ids.append({m.object: m.id for item in listener.items for m in item.messages if not isinstance(m, Gap)})
    assert ids[0]["count"] == ids[1]["count"]


async def test_a_job_on_the_line_is_seen_from_start_to_end(server: ServerProcess, tmp_path: Path) -> None:
    message = job_order(quantity="24")
    async with listening(plc(server.url, ROOT / "plant" / "line1.yaml")) as listener:
        await listener.until(lambda: listener.readings("state"))
        packed = lambda: [r.count for r in listener.readings("processed") if r.equipment_id == "PACKER1"]  # noqa: E731
        await listener.until(packed)
        await listener._source.write([message])
        capper = lambda: [r for r in listener.readings("state") if r.equipment_id == "CAPPER1"]  # noqa: E731
        await listener.until(lambda: any(r.state == "Complete" for r in capper()[1:]))
        states = [r.state for r in capper()][1:]
        expected = ["Resetting", "Idle", "Starting", "Execute", "Holding", "Held", "Unholding", "Execute", "Completing"]
        assert states == [*expected, "Complete"]
        reasons = [r.reason for r in listener.readings("stop_reason") if r.equipment_id == "CAPPER1"]
        assert reasons[-2:] == ["CAP-JAM", ""]
        await listener.until(lambda: packed()[-1] - packed()[0] == 24)
        assert packed() == sorted(packed())
