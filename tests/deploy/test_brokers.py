"""The brokers' configurations are what nats-server takes, and what the hub's configuration expects."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from authority import Authority

from connectors.door import token_hash
from mombus.bus.embedded import executable
from mombus.config.loader import load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, str]:
    authority = Authority(tmp_path, "ca")
    authority.sign("tls")
    return {"CERT": str(tmp_path / "tls.pem"), "KEY": str(tmp_path / "tls.key"), "CA": str(tmp_path / "ca.pem")}


@pytest.mark.parametrize("name", sorted(file.name for file in (DEPLOY / "nats").glob("*.conf")))
def test_a_broker_takes_its_configuration(name: str, certificates: dict[str, str], tmp_path: Path) -> None:
    said = certificates | {
        "NAME": "nats-0", "DOMAIN": "lyon", "STORE": str(tmp_path), "TOKEN": "t0a1b2", "SITE_PASSWORD": "t3c4d5",
        **dict.fromkeys(("LISTEN", "MONITOR", "ROUTES_LISTEN", "LEAF_LISTEN"), '"127.0.0.1:0"'),
        **{f"ROUTE_{n}": f'"tls://nats-{n}.nats:6222"' for n in range(3)},
        **{f"REMOTE_{n}": f'"tls://site:t3c4d5@nats-{n}.lyon.example:7422"' for n in range(3)},
    }  # fmt: skip
    environment = os.environ | {f"NATS_{key}": value for key, value in said.items()}
    tried = subprocess.run(
        [executable(), "-t", "-c", str(DEPLOY / "nats" / name)], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert tried.returncode == 0, tried.stderr


@pytest.mark.parametrize("over", [["production.yaml"], ["production.yaml", "single.yaml"]])
def test_the_hub_takes_the_production_configuration(over: list[str], tmp_path: Path) -> None:
    secrets = {name: f"t-{name}" for name in ("NATS_TOKEN", "STORE_PASSWORD", "PAGES_TOKEN")}
    said = {
        "MOMBUS_BROKER": "tls://nats-0:4222,tls://nats-1:4222", "MOMBUS_STORE": "postgresql://postgres/mombus",
        "MOMBUS_CERTIFICATES": str(tmp_path), **secrets,
    }  # fmt: skip
    Authority(tmp_path, "ca").sign("tls")
    door = tmp_path / "door.yaml"
    door.write_text(f'systems: {{erp: {{door: {{tokens: ["{token_hash("t6e7f8")}"]}}}}}}')
    loaded = load([ROOT / "routes.yaml", *(DEPLOY / name for name in over), door], said)
    assert loaded.config, loaded.findings
    assert loaded.config.bus.replicas == (1 if "single.yaml" in over else 3)
    assert loaded.config.bus.token
    assert loaded.config.bus.token.get_secret_value() == secrets["NATS_TOKEN"]
