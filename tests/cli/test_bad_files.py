"""Bad files: `mombus check` and `mombus run` refuse a configuration with its place, `mombus b2mml` a document."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING

import pytest
from patience import PATIENCE_S

from mombus.config.loader import load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Mombus

GOOD = """\
version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris, equipment: equipment.csv}
systems:
  erp: {connector: erp.b2mml, url: "http://127.0.0.1:9/erp?wsdl"}
  line1: {connector: plc.opcua, url: "opc.tcp://127.0.0.1:9", signals: signals.yaml}
objects:
  production_order: {owner: erp, kept_for: the journey of an order}
  process_value: {owner: line1}
"""
SIGNALS = """\
equipment:
  LINE1:
    path: /Objects/Line
    signals:
      - {signal: speed, node: Speed, object: process_value}
"""
BOMB = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))])
CHANGES: dict[str, tuple[str, str, str, str]] = {
    "duplicate key": ("site: lyon", "site: lyon, site: nice", "2:", "site"),
    "alias bomb": ("version: 1\n", f"version: 1\n{BOMB}\n", "", "more than 100000 nodes"),
    "a tag": ("version: 1", "version: !!python/object/apply:os.system [id]", "1:10", "tags such as"),
    "100k deep": ("version: 1", f"version: {'[' * 100_000}", "1:", "nested deeper"),
    "credentials in a URL": ("http://127.0.0.1:9/", "http://u:pa55@127.0.0.1:9/", "4:", "the URL holds credentials"),
    "link-local": ("http://127.0.0.1:9/", "http://169.254.169.254/", "4:", "link-local"),
    "octal": ("version: 1", "version: 01", "1:10", "this release reads version 1"),
    "no as a port": ("systems:", "http: {port: no}\nsystems:", "3:", "port"),
    "NaN": ("systems:", "http: {port: .nan}\nsystems:", "3:", "port"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "equipment.csv").write_text("id,parent,level\nLYON,,Site\nLINE1,LYON,ProductionLine\n")
    (tmp_path / "signals.yaml").write_text(SIGNALS)
    (tmp_path / "routes.yaml").write_text(GOOD)
    return tmp_path


def test_the_good_one_is_good(mombus: Mombus, folder: Path) -> None:
    checked = mombus("check", "routes.yaml")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("kind", CHANGES)
def test_a_configuration_that_is_refused(mombus: Mombus, folder: Path, kind: str) -> None:
    old, new, place, words = CHANGES[kind]
    assert GOOD.count(old) == 1
    (folder / "routes.yaml").write_text(GOOD.replace(old, new))
    began = time.monotonic()
    checked = mombus("check", "routes.yaml")
    assert checked.returncode == 1
    assert f"routes.yaml:{place}" in checked.stdout
    assert words in checked.stdout
    assert "pa55" not in checked.stdout + checked.stderr
    started = mombus("run", "routes.yaml")
    assert (started.returncode, words in started.stderr) == (78, True)
    assert not (folder / ".mombus").exists(), "a hub that doesn't start leaves nothing"
    assert time.monotonic() - began < PATIENCE_S


def test_words_and_numbers_stay_what_they_say(mombus: Mombus, folder: Path) -> None:
    changed = GOOD.replace("enterprise: acme", "enterprise: 1.10").replace("site: lyon", "site: no")
    (folder / "routes.yaml").write_text(changed)
    assert mombus("check", "routes.yaml").returncode == 0
    config = load([folder / "routes.yaml"]).config
    assert config
    assert (config.plant.enterprise, config.plant.site) == ("1.10", "no")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SIGNALS.replace("signal: speed", "signal: speed, signal: pace"), "'signal' is given twice"),
        (f"{SIGNALS}{BOMB}\n", "uses YAML aliases"), (SIGNALS + "colour: red\n", "colour: Extra inputs"),
        ("[" * 100_000, "signals.yaml:1: nested deeper than 30 levels"),
    ],
    ids=["duplicate key", "alias bomb", "unknown field", "100k deep"],
)  # fmt: skip
def test_a_signals_file_that_is_refused(mombus: Mombus, folder: Path, text: str, words: str) -> None:
    (folder / "signals.yaml").write_text(text)
    started = mombus("run", "routes.yaml")
    assert started.returncode == 78
    assert words in started.stderr
    assert "Traceback" not in started.stderr


HEAD = '<ProcessOperationsSchedule xmlns="http://www.mesa.org/xml/B2MML" releaseID="7.0.1">'
DOCUMENT = f"""{HEAD}<ApplicationArea><CreationDateTime>2026-03-02T09:00:00Z</CreationDateTime></ApplicationArea>
<DataArea><Process/></DataArea></ProcessOperationsSchedule>"""
DOCUMENTS: dict[str, tuple[bytes, str]] = {
    "entity": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "DOCTYPE"),
    "laughs": (b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>', "DOCTYPE"),
    "depth": (b"<a>" * 100_000 + b"</a>" * 100_000, "depth"),
    "long": (HEAD.encode() + b"<a>" + b"x" * 12_000_000 + b"</a></ProcessOperationsSchedule>", "too long"),
    "attributes": (b"<a" + b"".join(b' a%d=""' % n for n in range(200_000)) + b"/>", "over 64 attributes"),
    "bomb": (gzip.compress(b"x" * 50_000_000), "gzip"),
    "truncated": (DOCUMENT.encode()[:-30], "not well-formed"),
    "encoding": (DOCUMENT.replace("<Process/>", "<Process>\xe9</Process>").encode("latin-1"), "not well-formed"),
    "namespace": (DOCUMENT.replace("/xml/B2MML", "/xml/B2MML-V99").encode(), "B2MML-V99"),
    "digits": (b"4711", "not well-formed"),
    "empty": (b"", "empty"),
}


def test_documents_that_are_refused_each_by_name(mombus: Mombus, tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_bytes(b"\xef\xbb\xbf" + DOCUMENT.encode())
    for name, (content, _) in DOCUMENTS.items():
        (tmp_path / f"{name}.xml").write_bytes(content)
    names = [f"{name}.xml" for name in DOCUMENTS]
    for verb in ("check", "read"):
        done = mombus("b2mml", verb, *names, "good.xml")
        lines = (done.stdout + done.stderr).splitlines()
        assert done.returncode == 1
        assert not any("root:" in line or "Traceback" in line for line in lines)
        for name, (_, words) in DOCUMENTS.items():
            (told,) = [line for line in lines if line.startswith(f"{name}.xml: ")]
            assert words in told
    assert any(line.startswith("good.xml: V7.0.1 process OperationsSchedule") for line in lines)
