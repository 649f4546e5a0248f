"""Signals files and node addresses: what is read, and what is refused with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opcua_bench import ROOT, SIGNALS, plc

from connectors.connector import ConfigError, Offer
from connectors.plc.signals import load
from connectors.protocols.opcua.addresses import STANDARD, AddressError, BrowsePath, NodeAddress, address

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.text(st.characters(blacklist_characters="/{}=", blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20)
URIS = st.sampled_from(["urn:acme:line1", "http://opcfoundation.org/UA/DI/", "http://acme.example/a/b=c"])


def test_the_example_line_is_read() -> None:
    connector = plc("opc.tcp://127.0.0.1:4840", ROOT / "plant" / "line1.yaml")
    assert {offer.object for offer in connector.offers} == {"equipment_state", "count", "process_value"}
    assert set(connector.accepts) == {Offer("job_order")}


@given(st.lists(st.tuples(URIS, NAMES), min_size=1, max_size=6))
def test_a_path_says_what_it_says(steps: list[tuple[str, str]]) -> None:
    text = "/Objects" + "".join(f"/{{{uri}}}{name}" for uri, name in steps)
    assert address(text) == BrowsePath(((STANDARD, "Objects"), *steps))


@given(NAMES, NAMES)
def test_steps_without_a_namespace_are_in_the_last_one(first: str, second: str) -> None:
    path = address(f"/Objects/{{urn:a}}{first}/{second}", namespace="urn:b")
    assert path == BrowsePath(((STANDARD, "Objects"), ("urn:a", first), ("urn:a", second)))
    assert address(second, f"/Objects/{first}", "urn:b").steps[1:] == (("urn:b", first), ("urn:b", second))


def test_node_ids_name_their_namespace() -> None:
    assert address("nsu=urn:a;s=Filler/State") == NodeAddress("urn:a", "s=Filler/State")
    assert address("ns=0;i=2258") == NodeAddress(STANDARD, "i=2258")


@pytest.mark.parametrize("text", ["ns=2;s=Filler", "Filler/State", "/", "/Objects//X", "/Objects/{urn:a}", "s:x=", ""])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        address(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("unit: MLT", "unit: furlong"), "'furlong' is not a Rec 20 code"),
        (("object: count", "object: counts"), "equipment.BENCH1.signals"),
        (("queue_size: 5000", "queue_size: 0"), "queue_size"),
        (("signal: single", "signal: number"), "BENCH1 has the signal number twice"),
        (("node: Mark", "node: ns=2;s=Mark"), "indexes such as ns=2"),
        (("path: /Objects/Bench", "path: /Objects/Bench\n    path: /Objects/Bank"), "the key 'path' is given twice"),
        (("namespace: urn:acme:bench", "namespace: [urn:acme:bench"), "signals.yaml:"),
        (("namespace: urn:acme:bench", "namespace: &x urn:acme:bench\nother: *x"), "aliases"),
        (("namespace: urn:acme:bench", "namespace: " + "[" * 100_000), "nested deeper than 30 levels"),
        (("namespace: urn:acme:bench", "namespcae: urn:acme:bench"), "namespcae"),
        (("namespace: urn:acme:bench", "commands: {job_order: {call: {object: /Objects, method: M}, accepted: '1 +'}}"),
         "commands.job_order.accepted"),
        (("namespace: urn:acme:bench", "commands: {job_order: {}}"), "either call or write"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    path = tmp_path / "signals.yaml"
    assert change[0] in SIGNALS
    path.write_text(SIGNALS.replace(*change, 1), "utf-8")
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert words in str(refused.value)
    assert "signals.yaml" in str(refused.value)
    assert refused.value.field == "signals"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        load(tmp_path / "nothing.yaml")
