"""How much is kept and where: what a configuration may not say of disk, streams, broker and journal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from config_folder import Folder

from mombus.config.loader import load
from mombus.config.needs import Needs
from mombus.config.rules import storage

PlaceOf = Callable[[str], str]
GIB = 1024**3

BROKEN = [
    pytest.param(
        "{disk_warn: 1 GiB, disk_stop: 2 GiB}", "disk_warn: >1",
        "error: bus.disk_warn: of a disk of 20 GiB, people would be warned below 1 GiB, when below 2 GiB nothing is "
        "taken in any more; disk_warn is '1 GiB', disk_stop '2 GiB': make disk_warn the larger one",
        id="warned too late",
    ),
    pytest.param(
        "{disk_stop: 4 GiB}", "disk_stop: >4",
        "error: bus.disk_stop: of a disk of 20 GiB, people would be warned below 2 GiB, when below 4 GiB nothing",
        id="stopped before the usual warning",
    ),
    pytest.param(
        "{disk_stop: 0}", "disk_stop: >0", "error: bus.disk_stop: '0' is hardly any room: write at least 64 KiB",
        id="to the last byte",
    ),
    pytest.param(
        "{disk_stop: 70%, disk_warn: 80%}", "disk_stop: >70",
        "error: bus.disk_stop: the streams and what must stay free",
        id="more than there is free",
    ),
    pytest.param(
        "{keep: {mom_size: 60%, raw_size: 50%}}", "mom_size: >60",
        "error: bus.keep.mom_size: the streams and what must stay free add up to 110% of a disk of 10 TiB; mom_size, "
        "signals_size, raw_size, dead_size and disk_stop share the disk: give them less",
        id="more than all of a disk",
    ),
    pytest.param(
        "{keep: {mom_size: 300 GiB}}", "mom_size: >300",
        "warning: bus.keep.mom_size: the streams and what must stay free may take 322 GiB; this disk has 200 GiB",
        id="more than this disk",
    ),
    pytest.param(
        "{keep: {mom_size: 40}}", "mom_size: >40",
        "error: bus.keep.mom_size: '40' is no share of a disk; write 40% or 40 GiB", id="no unit",
    ),
    pytest.param(
        "{keep: {mom_size: 40 B}}", "mom_size: >40", "error: bus.keep.mom_size: '40 B' is hardly any room",
        id="nothing",
    ),
    pytest.param(
        '{broker: "nats://10.0.0.5:4222", keep: {raw_size: 5%}}', "raw_size: >5%",
        "error: bus.keep.raw_size: a share of which disk? The broker is one of your own, and its disk isn't known "
        "here; write a size, such as 40 GiB",
        id="a share of an unknown disk",
    ),
    pytest.param(
        "{keep: {mom_age: 90s}}", "mom_age: >90s",
        "error: bus.keep.mom_age: '1m30s' is over before a system is back: keep it for 1h at least", id="hardly kept",
    ),
    pytest.param(
        "{broker: 10.0.0.5:4222}", "broker: >10",
        "error: bus.broker: '10.0.0.5:4222' is no broker: write embedded, nats://host:4222 or tls://host:4222",
        id="no broker",
    ),
    pytest.param(
        '{broker: "nats://a:4222, nats://u:p@b:4222"}', 'broker: >"nats',
        "error: bus.broker: the URL holds credentials", id="credentials of the second node",
    ),
    pytest.param(
        "{store: mysql://db/mombus}", "store: >mysql",
        "error: bus.store: the journal can't be kept in mysql: write embedded, or postgresql://host/mombus", id="MySQL",
    ),
    pytest.param(
        '{folder: ""}', 'folder: >""', "error: bus.folder: the broker's and the journal's files need a folder",
        id="no folder",
    ),
    pytest.param(
        "{folder: equipment.csv}", "folder: >eq", "error: bus.folder: equipment.csv is a file, and broker and journal",
        id="a file",
    ),
    pytest.param(
        '{token: "${env:NATS}"}', 'token: >"$', "warning: bus.token: it is for a broker of your own, and the broker is "
        "embedded; name it in bus.broker", id="a token for nobody",
    ),
    pytest.param(
        "{store_user: mombus}", "store_user: >m", "warning: bus.store_user: it is for a store of your own",
        id="no store",
    ),
    pytest.param(
        "{largest_body_bytes: 20 MiB}", "bytes: >20", "error: bus.largest_body_bytes: expected a number, not the text "
        "'20 MiB'; Largest body of one message", id="bytes with a unit",
    ),
]  # fmt: skip


@pytest.fixture(autouse=True)
def disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk here has 200 GiB."""

    class Usage:
        total = 200 * GIB

    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _folder: Usage)


@pytest.mark.parametrize(("bus", "at", "message"), BROKEN)
def test_bus(folder: Folder, place_of: PlaceOf, bus: str, at: str, message: str) -> None:
    folder.environ["NATS"] = "tok"
    folder.change("systems:\n", f"bus: {bus}\nsystems:\n")
    found = folder.findings()
    assert [line for line in found if line.startswith(f"{place_of(at)}: ") and message in line], (place_of(at), found)


@pytest.mark.parametrize(
    "bus",
    [
        "{disk_warn: 8%, disk_stop: 5%}", "{disk_stop: 4 GiB, disk_warn: 5 GiB}", "{keep: {mom_size: 80%}}",
        "{keep: {mom_size: 100 GiB, raw_size: 40 GiB}}", '{broker: "nats://a:4222, nats://b:4222"}',
        '{broker: "nats://a:4222", keep: {mom_size: 4 TiB}}', "{store: postgresql://db/mombus, store_user: mombus}",
    ],
)  # fmt: skip
def test_what_fits_is_fine(folder: Folder, bus: str) -> None:
    folder.change("systems:\n", f"bus: {bus}\nsystems:\n")
    assert folder.findings() == []


def test_a_spool_without_a_unit_is_no_size(folder: Folder, place_of: PlaceOf) -> None:
    folder.change("  line1: {", "  line1: {spool: 256, ")
    assert folder.findings()[0].startswith(
        f"{place_of('spool: >256')}: error: systems.line1.spool: '256' says no unit; write 256 MiB or 256 GiB; "
    )


def test_a_spool_larger_than_the_disk_is_told(folder: Folder, place_of: PlaceOf) -> None:
    folder.change("  line1: {", "  line1: {spool: 1 TiB, ")
    assert folder.findings() == [
        f"{place_of('spool: >1')}: warning: systems.line1.spool: 1 TiB may be spooled, and this disk has 200 GiB; "
        "give it less"
    ]


def test_what_an_overlay_set_is_found_in_the_overlay(folder: Folder) -> None:
    """Also where two fields contradict each other."""
    folder.change("systems:\n", "bus: {folder: hub}\nsystems:\n")
    folder.write("over.yaml", "bus:\n  replicas: 3\n  keep: {mom_size: 70%, raw_size: 40%}\n  disk_warn: 1%\n")
    assert _places(folder) == ["over.yaml:2:13"]
    folder.write("over.yaml", "bus:\n  keep: {mom_size: 70%, raw_size: 40%}\n  disk_warn: 1%\n")
    assert _places(folder) == ["over.yaml:2:20", "over.yaml:3:14"]


def _places(folder: Folder) -> list[str]:
    return [line.partition(": error: ")[0] for line in folder.findings("over.yaml")]


@pytest.mark.parametrize(
    ("section", "at", "message"),
    [
        ('http: {host: "a host"}', 'host: >"a', "error: http.host: 'a host' isn't written as expected (^[A-Za-z0-9_.:"),
        ('http: {names: ["*"]}', '[>"*"', "error: http.names[0]: '*' isn't written as expected"),
        ("http: {names: [https://a.example]}", "[>https", "error: http.names[0]: 'https://a.example' isn't written as"),
        ('http: {token: ""}', 'token: >""', "error: http.token: an empty secret protects nothing; give it a value"),
        ("http: {token: '${secret:NONE}'}", "token: >'", "error: http.token: '${secret:NONE}' is empty; an empty"),
        ("secrets: equipment.csv", "secrets: >e", "error: secrets: expected the name of a folder with one file per"),
    ],
)  # fmt: skip
def test_sections(folder: Folder, place_of: PlaceOf, section: str, at: str, message: str) -> None:
    folder.environ["NONE"] = ""
    folder.change("systems:\n", f"{section}\nsystems:\n")
    found = folder.findings()
    assert [line for line in found if line.startswith(f"{place_of(at)}: ") and message in line], (place_of(at), found)


SITE = "  paris: {connector: site, url: nats://paris:4222, site: paris, objects: [material_class]}\n"


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ("site: paris,", "site: lyon,", ["'lyon' is this site itself: name the other one, as its own"]),
        ("site: paris,", "site: Paris,", ["'Paris' isn't written as expected (^[a-z]"]),
        ("material_class", "materiel", ["'materiel' is no data object of the catalogue; did you mean 'material'?"]),
        ("material_class", "gap", ["'gap' is every system's own"]),
        ("material_class", "count", ["count is a signal: it stays at its site"]),
        ("site: paris,", "site: paris, ca: no.pem, credentials: no.cr,", ["there is no file no.pem", "no file no.cr"]),
    ],
)  # fmt: skip
def test_another_site(folder: Folder, old: str, new: str, messages: Sequence[str]) -> None:
    folder.change("objects:\n  production_order", SITE.replace(old, new) + "objects:\n  production_order")
    found = [line for line in folder.findings() if "systems.paris" in line and ": error: " in line]
    assert len(found) == len(messages)
    for line, message in zip(found, messages, strict=True):
        assert message in line
        assert line.startswith("routes.yaml:8:")


def test_the_disk_is_that_of_the_folder_to_come(tmp_path: Path) -> None:
    assert storage._standing(tmp_path / "not" / "yet") == tmp_path.resolve()


def test_files_of_systems_that_run_elsewhere_need_not_be_here(folder: Folder) -> None:
    named = SITE.replace("site: paris,", "site: paris, ca: no.pem,")
    folder.change("objects:\n  production_order", f"{named}objects:\n  production_order")
    here = load([folder.path / "routes.yaml"], folder.environ, Needs(frozenset({"erp"})))
    assert not [finding for finding in here.findings if "no.pem" in finding.message]
