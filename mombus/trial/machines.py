"""What a case says of a machine's nodes, compared with the signals file before anything is played."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mombus.config.finding import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.connector import ConnectorConfig
    from connectors.plc.signals import Signals
    from connectors.protocols.opcua.addresses import Address
    from mombus.config.model import Config
    from mombus.trial.cases import Told
    from mombus.trial.mocks import Mock

ASKED = ("CALL", "WRITE", "READ")
Place = tuple[str | int, ...]


def of(config: ConnectorConfig, whole: Config) -> Signals:
    """The signals file of a machine; that it can be read was checked with the configuration."""
    return config.nodes(Path(whole.folder))


def watched(signals: Signals) -> Mapping[Address, str]:
    """The nodes that are signals, each as it is written from the root on."""
    return {
        signals.place(signal.node, equipment.path): _whole(signal.node, equipment.path)
        for equipment in signals.equipment.values()
        for signal in equipment.signals
    }


def commanded(signals: Signals) -> Sequence[str]:
    """The nodes that are called, written and read to look, as requests for them name them."""
    places: dict[str, None] = {}
    for command in signals.commands.values():
        find = command.find
        calls = [call for call in (command.call, find.call if find else None) if call is not None]
        places |= dict.fromkeys([
            *(call.place for call in calls), *(write.node for write in command.write), *(find.read if find else ())
        ])  # fmt: skip
    return list(places)


def told_in_vain(
    signals: Signals, nodes: Mapping[str, Sequence[Told]]
) -> Iterator[tuple[Place, str, str]]:  # fmt: skip
    """Nodes that nobody reads, and values that no node can have: where, what, and what to do."""
    known = watched(signals)
    for node, said in nodes.items():
        try:
            address = signals.place(node)
        except ValueError as error:
            yield (node,), str(error), ""
            continue
        if address not in known:
            yield (node,), f"no signal is read from {node}", did_you_mean(node, set(known.values()))
            continue
        for at, told in enumerate(said):
            if (wrong := _wrong(told)) is not None:
                yield (node, at), wrong, ""


def asked_in_vain(signals: Signals, mocks: Sequence[Mock]) -> Iterator[tuple[int, str, str, str]]:
    """Answers to what is never asked, and statuses that there aren't: which, of what, what, and what to do."""
    places = commanded(signals)
    for at, mock in enumerate(mocks):
        if mock.method not in {None, *ASKED}:
            yield at, "method", f"a machine is never asked to {mock.method}, only {', '.join(ASKED)}", ""
        if not any(mock.fits(mock.method or "", place) for place in places):
            yield at, "path", f"no command calls, writes or reads {mock.path}", did_you_mean(str(mock.path), places)
        if isinstance(mock.status, str) and not _is_code(mock.status):
            yield at, "status", f"'{mock.status}' is no status code of OPC UA", ""


def _wrong(told: Told) -> str | None:
    from connectors.protocols.opcua.values import data  # noqa: PLC0415 - asyncua is heavy

    if not _is_code(told.status):
        return f"'{told.status}' is no status code of OPC UA"
    try:
        data(told.value, told.type, told.status, told.at)
    except (ValueError, ArithmeticError, TypeError) as error:
        return str(error)
    return None


def _is_code(status: str) -> bool:
    if status == "Good":
        return True
    from asyncua.ua import StatusCodes  # noqa: PLC0415 - heavy

    known: Any = StatusCodes
    return hasattr(known, status)


def _whole(node: str, start: str) -> str:
    return node if node.startswith("/") or "=" in node.split("/", 1)[0] else f"{start.rstrip('/')}/{node}"
