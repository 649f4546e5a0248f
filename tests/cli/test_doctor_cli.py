"""`mombus doctor` names everything it looked at; its exit code says whether all is well."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from authority import Authority
from ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Mombus


def plant(port: int) -> dict[str, Any]:
    return {
        "version": 1, "plant": {"enterprise": "acme", "site": "lyon", "timezone": "Europe/Paris"},
        "http": {"port": free_port()},
        "systems": {"qms": {"connector": "qms.rest", "url": f"http://127.0.0.1:{port}"}},
        "objects": {"quality_result": {"owner": "qms", "kept_for": "journeys"}},
    }  # fmt: skip


def test_what_is_wrong_is_named_and_nothing_is_changed(mombus: Mombus, tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    certificate, key = map(str, Authority(tmp_path / "tls").sign("hub"))
    config = plant(free_port())
    config["http"] |= {"certificate": certificate, "private_key": key}
    (tmp_path / "routes.yaml").write_text(json.dumps(config))
    done = mombus("doctor", "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    checks = {check["about"]: check for check in found}
    (ends,) = [datetime.fromisoformat(check["ends"]) for check in found if check["field"] == "certificate"]
    assert ends > datetime.now(UTC)
    assert set(checks) == {"folder", "disk", "pages", "broker", "system qms"}
    assert checks["system qms"]["verdict"] == "wrong"
    assert checks["system qms"]["do"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["routes.yaml", "tls"]


def test_the_table_says_what_to_do(called: Mombus, tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(json.dumps(plant(free_port())))
    done = called("doctor")
    assert "nothing answers at 127.0.0.1" in done.stdout
    assert "Mend them first." in done.stderr
