"""A process looks up the secrets it needs, and starts without the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from connectors.door import signing_key
from mombus.config.loader import load
from mombus.config.needs import NO_SECRET, STAND_IN, Needs
from mombus.hub.parts import parse_parts

if TYPE_CHECKING:
    from config_folder import Folder

DOOR = (
    '{connector: rest, url: "http://qms", token: "${secret:QMS_TOKEN}", listen: /in/qms, '
    'door: {users: {qms: "${env:QMS_PASSWORD}"}, signatures: ["${command:pass show qms}"]}, '
    'pushed: {says: [{object: quality_result, body: "$", occurred: at}]}}'
)


@pytest.fixture
def plant(folder: Folder) -> Folder:
    """Every secret that there can be, none of them set."""
    folder.change("takes: [production_response]}", 'takes: [production_response], token: "${secret:ERP_TOKEN}"}')
    folder.change("  cmms:", f"  qms: {DOOR}\n  cmms:")
    store = 'store: "postgresql://db/mombus", store_user: hub, store_password: "${secret:STORE}"'
    folder.change("systems:\n", f'bus: {{broker: "nats://hub", token: "${{secret:BUS}}", {store}}}\nsystems:\n')
    folder.change("systems:\n", 'http: {token: "${secret:PAGES}"}\nsystems:\n')
    folder.environ = {"BUS": "bus token"}
    return folder


def missing(folder: Folder, needs: Needs) -> set[str]:
    """Which secrets it can't be read without."""
    findings = load([folder.path / "routes.yaml"], folder.environ, needs).findings
    names = ("BUS", "STORE", "PAGES", "ERP_TOKEN", "QMS_TOKEN", "QMS_PASSWORD", "pass show")
    return {name for name in names for one in findings if name in str(one)}


@pytest.mark.parametrize(
    ("parts", "needed"),
    [
        ((), {"STORE", "PAGES", "ERP_TOKEN", "QMS_TOKEN", "QMS_PASSWORD", "pass show"}),
        (("delivery",), {"STORE"}),
        (("delivery", "connectors:erp"), {"STORE", "ERP_TOKEN"}),
        (("connectors:erp",), {"ERP_TOKEN"}),
        (("connectors:mes",), set()),
        (("web",), {"PAGES"}),
    ],
)
def test_a_part_needs_its_own_secrets_only(plant: Folder, parts: tuple[str, ...], needed: set[str]) -> None:
    assert missing(plant, parse_parts(parts).needs) == needed


def test_the_brokers_secret_is_everybodys(plant: Folder) -> None:
    plant.environ = {}
    assert missing(plant, NO_SECRET) == {"BUS"}


def test_what_stands_in_for_a_secret_passes_as_one_and_opens_nothing(plant: Folder) -> None:
    config = load([plant.path / "routes.yaml"], plant.environ, NO_SECRET).config
    assert config is not None
    qms = cast("Any", config.systems["qms"].config)
    assert {qms.token.get_secret_value(), qms.door.users["qms"].get_secret_value()} == {STAND_IN}
    assert len(signing_key(qms.door.signatures[0])) == 32
    assert STAND_IN not in repr(config)


def test_what_is_no_secret_is_looked_up_by_every_part(plant: Folder) -> None:
    plant.change('"http://erp"', '"${env:ERP_URL}"')
    plant.environ["ERP_URL"] = "http://elsewhere"
    config = load([plant.path / "routes.yaml"], plant.environ, NO_SECRET).config
    assert config is not None
    assert cast("Any", config.systems["erp"].config).url == "http://elsewhere"
