"""What a message does on a machine: methods and writes, refusals, and looking whether it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opcua_bench import SIGNALS, ServerProcess, job_order, machine, plc, signals_file

from connectors.connector import (
    Absent,
    Effect,
    Halted,
    Health,
    MappingError,
    Offer,
    OutcomeUnknown,
    Receipt,
    Rejected,
    RetryableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from canonical.message import Message
    from connectors.connector import ConnectorError
    from connectors.plc.opcua import PlcOpcua


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("opcua")).start()
    yield process
    process.kill()


def by_commands(server: ServerProcess, folder: Path, commands: str) -> PlcOpcua:
    path = signals_file(folder)
    path.write_text(f"{SIGNALS}\ncommands:\n  job_order:\n{commands}", "utf-8")
    return plc(server.url, path)


async def told(source: PlcOpcua, message: Message) -> Receipt | ConnectorError:
    await source.connect()
    try:
        return (await source.write([message]))[0]
    finally:
        await source.close()


WRITES = """\
    write:
      - {node: /Objects/Bench/Setpoint, type: Double, value: "$number(body.material_requirement[0].quantity.value)"}
      - {node: /Objects/Bench/Counter, type: Int64, value: "41 + 1"}
    find: {read: [/Objects/Bench/Setpoint, /Objects/Bench/Counter], found: "outputs = [17.5, 42]"}
"""


async def test_values_are_written_in_their_exact_type_and_found(server: ServerProcess, tmp_path: Path) -> None:
    source = by_commands(server, tmp_path, WRITES)
    await source.connect()
    async with machine(server.url) as bench:
        await bench.write("Setpoint", 0.0)
    message = job_order(quantity="17.5")
    assert await source.find(message) == Absent()
    assert await source.write([message]) == [Receipt()]
    assert await source.find(message) == Receipt()
    await source.close()


@pytest.mark.parametrize(
    ("write", "error", "words"),
    [
        ("{node: Setpoint, type: Int32, value: '1'}", MappingError, "BadTypeMismatch"),
        ("{node: ReadOnly, type: Double, value: '1'}", Halted, "BadUserAccessDenied"),
        ("{node: Nowhere, type: Double, value: '1'}", MappingError, "BadNoMatch"),
        ("{node: Setpoint, type: Double, value: '\"many\"'}", MappingError, "argument 1"),
        ("{node: Counter, type: Byte, value: '256'}", MappingError, "doesn't fit Byte"),
        ("{node: Mark, type: String, value: '7'}", MappingError, "is no text"),
        ("{node: Mark, type: String, value: body.nothing}", MappingError, "None is no text"),
    ],
)
async def test_a_write_that_fails_says_why(
    server: ServerProcess, tmp_path: Path, write: str, error: type[ConnectorError], words: str
) -> None:
    source = by_commands(server, tmp_path, f"    write: [{write.replace('node: ', 'node: /Objects/Bench/')}]\n")
    result = await told(source, job_order())
    assert type(result) is error
    assert words in str(result)


async def test_a_write_half_done_is_unknown(server: ServerProcess, tmp_path: Path) -> None:
    writes = [f"{{node: /Objects/Bench/{name}, type: Double, value: '1'}}" for name in ("Setpoint", "ReadOnly")]
    source = by_commands(server, tmp_path, f"    write: [{', '.join(writes)}]\n")
    assert source.accepts[Offer("job_order")].effect is Effect.BLIND
    result = await told(source, job_order())
    assert isinstance(result, OutcomeUnknown)
    assert "1 of 2 values were written" in str(result)


async def test_a_machine_that_says_no_is_heard(server: ServerProcess, tmp_path: Path) -> None:
    source = plc(server.url, signals_file(tmp_path))
    message = job_order(quantity="3")
    assert isinstance(await told(source, message), Receipt)
    other = await told(source, job_order(quantity="4", id=message.key))
    assert isinstance(other, Rejected), "the same job with another quantity"
    assert "answered [8]" in str(other)
    assert isinstance(await told(source, job_order(quantity="0")), Rejected)
    assert isinstance(await told(source, job_order(quantity="0.5")), MappingError)


async def test_a_full_machine_means_later(server: ServerProcess, tmp_path: Path) -> None:
    source = plc(server.url, signals_file(tmp_path))
    await source.connect()
    results = await source.write([job_order(quantity="2000") for _ in range(12)])
    await source.close()
    assert type(results[-1]) is RetryableError
    assert sum(isinstance(result, Receipt) for result in results) <= 10


async def test_a_missing_method_is_seen_before_the_first_job(server: ServerProcess, tmp_path: Path) -> None:
    call = "    call: {object: /Objects/Bench, method: Launch}\n"
    source = by_commands(server, tmp_path, call)
    await source.connect()
    probe = await source.probe()
    assert probe.health is Health.DEGRADED
    assert "/Objects/Bench/Launch" in probe.reason
    assert isinstance((await source.write([job_order()]))[0], MappingError)
    with pytest.raises(OutcomeUnknown):
        await source.find(job_order())
    await source.close()
