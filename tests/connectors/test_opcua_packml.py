"""A packer as the PackML companion specification (OPC 30050) describes it, in the Foundation's own nodeset."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from asyncua import Server, ua
from opcua_bench import ROOT, plc
from patience import until

from connectors.connector import Health, Item
from connectors.protocols.opcua import feed

if TYPE_CHECKING:
    from pathlib import Path

NODESETS = ROOT.parent / "shared" / "nodesets"
PACKML = "http://opcfoundation.org/UA/PackML/"
SIGNALS = f"""
namespace: urn:packer
equipment:
  PACKER1:
    path: /Objects/Packer
    signals:
      - {{signal: state, node: "{{{PACKML}}}BaseStateMachine/{{http://opcfoundation.org/UA/}}CurrentState",
          object: equipment_state}}
      - {{signal: speed, node: "{{{PACKML}}}Status/CurMachSpeed", object: process_value}}
      - {{signal: later, node: Later, object: count}}
"""


def values(items: list[Item], signal: str) -> list[object]:
    readings = [r for item in items for m in item.messages for r in m.body.reading if r.signal == signal]
    return [getattr(r, "state", None) or getattr(r, "value", None) or getattr(r, "count", None) for r in readings]


@pytest.mark.skipif(not NODESETS.is_dir(), reason="the Foundation's nodesets aren't here")
async def test_the_companion_specifications_nodes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "RECHECK_S", 0.5)
    server = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for name in ("Opc.Ua.Di.NodeSet2.xml", "Opc.Ua.PackML.NodeSet2.xml"):
        await server.import_xml(NODESETS / name)
    index, own = await server.get_namespace_index(PACKML), await server.register_namespace("urn:packer")
    kind = await server.nodes.base_object_type.get_child(f"{index}:PackMLBaseObjectType")
    packer = await server.nodes.objects.add_object(own, "Packer", objecttype=kind.nodeid)
    await server.start()
    (tmp_path / "signals.yaml").write_text(SIGNALS, "utf-8")
    source = plc(f"opc.tcp://127.0.0.1:{server.bserver.port}/", tmp_path / "signals.yaml")
    await source.connect()
    items: list[Item] = []

    async def listen() -> None:
        async for item in source.read(None):
            items.append(item)

    task = asyncio.create_task(listen())
    state = await packer.get_child([f"{index}:BaseStateMachine", "0:CurrentState"])
    speed = await packer.get_child([f"{index}:Status", f"{index}:CurMachSpeed"])
    try:
        await until(lambda: items)
        await state.write_value(ua.LocalizedText("Execute", "en"))
        await speed.write_value(ua.Variant(82.5, await speed.read_data_type_as_variant_type()))
        await until(lambda: "Execute" in values(items, "state") and any(values(items, "speed")))
        await until(source.probe, good=lambda probe: probe.health is Health.DEGRADED)
        assert "PACKER1/later" in (await source.probe()).reason
        await packer.add_variable(own, "Later", 7)
        await until(lambda: values(items, "later") == [7])
        await until(source.probe, good=lambda probe: probe.health is Health.OK)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await source.close()
        await server.stop()
