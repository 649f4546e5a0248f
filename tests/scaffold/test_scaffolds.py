"""What `mombus new` makes works as it is: it lints, plays its tests, runs, is found, and passes the contract suite."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from patience import until
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from mombus.cli.completing import kind_names, object_names, system_names
from mombus.config.loader import load
from mombus.hub.hub import open_hub
from mombus.hub.trial.playing import playing
from mombus.scaffold.connector import KIND, connector_files, folder_of
from mombus.scaffold.plant import plant_files, site_name
from mombus.scaffold.route import RouteError, added, judged, route_block
from mombus.scaffold.writing import TakenError, write
from mombus.trial.reading import read
from plant.served import Served

if TYPE_CHECKING:
    from starlette.requests import Request

ROOT = Path(__file__).parent.parent.parent
ROUTES = """version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris}
systems:
  erp: {connector: rest, url: "http://127.0.0.1:9", pushed: {says: [{object: material, occurred: at, body: $}]},
        listen: /in/erp}
  mes: {connector: rest, url: "http://127.0.0.1:9", writes: [{object: material, url: /m, body: '{"id": key}'}]}
routes:
  # The only one.
  - {object: material, to: mes}

# Who owns what.
objects:
  material: {owner: erp, process_owner: masterdata@acme.example}
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    write(tmp_path, plant_files("lyon", '"acme"', "Europe/Paris"))
    return tmp_path


def routes(folder: Path, text: str = ROUTES) -> Path:
    file = folder / "routes.yaml"
    file.write_text(text, encoding="utf-8")
    return file


async def test_a_new_plant_lints_and_plays_its_route_tests(plant: Path) -> None:
    assert load([plant / "routes.yaml"]).findings == ()
    file = read(plant / "routes.test.yaml")
    async with playing() as play:
        ran = await play.file(file, file.tests)
    assert [result.passed for result in ran.results] == [True, True]
    assert ran.unused == {}
    assert "definitions" not in json.loads((plant / ".schemas" / "tests.json").read_text())


async def test_a_new_plant_runs(plant: Path) -> None:
    """An order that is posted at the hub's door as its README says is put to the MES."""
    got: list[tuple[str, Any]] = []

    async def put(request: Request) -> Response:
        got.append((request.url.path, await request.json()))
        return Response(status_code=204)

    mes = Served(Starlette(routes=[Route("/orders/{id}", put, methods=["PUT"]), Route("/", _nothing)]))
    await mes.start()
    try:
        overlay = plant / "here.yaml"
        overlay.write_text(json.dumps({"http": {"port": 0}, "systems": {"mes": {"url": mes.url}}}), encoding="utf-8")
        config = load([plant / "routes.yaml", overlay]).config
        assert config is not None
        order = {"number": "PO-1", "article": "FG-1000", "quantity": 240, "released": "2026-03-02T06:00:00Z"}
        async with open_hub(config) as hub, httpx.AsyncClient() as erp:
            (await erp.post(f"{hub.url}/in/erp", json=order)).raise_for_status()
            await until(lambda: got)
    finally:
        await mes.stop()
    assert got == [("/orders/PO-1", {"order": "PO-1", "article": "FG-1000", "quantity": 240})]


async def _nothing(_request: Request) -> Response:
    return Response(status_code=204)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("mine", encoding="utf-8")
    with pytest.raises(TakenError, match="b is there already: nothing was written"):
        write(tmp_path, {"a": "yours", "b": "yours"})
    assert [file.name for file in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b").read_text() == "mine"


def test_a_site_is_named_after_its_folder() -> None:
    assert [site_name(text) for text in ("Lyon", "plant 2 (test)", "2nd", "42", "ümlaut")] == [
        "lyon", "plant-2-test", "nd", "site", "mlaut",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["acme.crm", "sap-eam.odata4"])
def test_a_new_connectors_files_are_python(kind: str) -> None:
    assert KIND.fullmatch(kind)
    for path, text in connector_files(kind).items():
        assert "@@" not in text
        if path.endswith(".py"):
            compile(text, path, "exec")


def test_a_new_connector_is_found_and_passes_the_contract_suite(tmp_path: Path) -> None:
    """As after `pip install`: its wheel, made by its own build, is on the path."""
    folder = tmp_path / folder_of("acme.crm")
    write(folder, connector_files("acme.crm"))

    def run(*command: str) -> str:
        path = os.pathsep.join([str(ROOT), *map(str, folder.glob("dist/*.whl"))])
        done = subprocess.run(
            [sys.executable, *command], cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True,
            text=True, timeout=200, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    install = "import sys, hatchling.build as build; sys.path.insert(0, 'dist/' + build.build_wheel('dist'))"
    listed = run("-c", f"{install}; from mombus.cli.main import run; run(['connectors', 'acme.crm'])")
    assert "acme.crm: acme crm: orders from it, downtimes to it" in listed
    assert "passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_a_route_is_good_or_says_why_not(tmp_path: Path) -> None:
    file = routes(tmp_path)
    block = route_block("material", ["mes"], within="5m", effect="accepted", when='body.id = "A"')
    config, findings = judged(file, block)
    assert config is not None
    assert [route.when for route in config.routes] == [None, 'body.id = "A"']
    assert findings == []
    config, findings = judged(file, route_block("material", ["msx"], within="5m", effect="accepted", when=None))
    assert config is None
    assert ["msx" in finding.message for finding in findings] == [True]


def test_a_route_is_added_behind_the_last_one_and_nothing_else_changes(tmp_path: Path) -> None:
    file = routes(tmp_path)
    block = route_block("material", ["mes"], within="5m", effect="accepted", when=None)
    text = added(file, block)
    before, after = text.split(block)
    assert before + after == ROUTES
    assert before.endswith("- {object: material, to: mes}\n")
    assert after.startswith("\n# Who owns what.")
    last = ROUTES.replace("routes:", "routes_:").replace("routes_:", "aliases:").split("aliases:")[0]
    assert added(routes(tmp_path, last.rstrip("\n")), block) == f"{last.rstrip()}\n\nroutes:\n{block}"


def test_routes_on_one_line_are_left_alone(tmp_path: Path) -> None:
    file = routes(tmp_path, "version: 1\nroutes: [{object: material, to: mes}]\n")
    with pytest.raises(RouteError, match=r"routes\.yaml:2: routes aren't written as lines"):
        added(file, "  - x\n")
    with pytest.raises(RouteError, match=r"can't be read: .*; `mombus new plant DIR` makes one"):
        judged(tmp_path / "none.yaml", "  - {}\n")


def test_the_shell_completes_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert system_names("") == []
    routes(tmp_path)
    assert system_names("") == ["erp", "mes"]
    assert system_names("e") == ["erp"]
    (tmp_path / "routes.yaml").write_text("systems: [", encoding="utf-8")
    assert system_names("") == []
    assert object_names("downt") == ["downtime"]
    assert "erp.b2mml" in kind_names("erp")
