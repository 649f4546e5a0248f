"""`mombus flows` shows what is declared, without a hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Mombus

ROOT = Path(__file__).parents[2]


def test_every_declared_flow_is_shown(mombus: Mombus, called: Mombus) -> None:
    done = mombus("flows", "--json", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    flows = {(one["object"], one["source"], one["target"]): one for one in json.loads(done.stdout)}
    assert flows["production_order", "erp", "wms"]["within"] == "1m"
    assert flows["inventory_movement", "wms", "erp"]["effect"] == "posted"
    assert len(flows) == 14
    plain = called("flows", cwd=ROOT).stdout.splitlines()
    assert plain[1].split() == ["production_order", "erp", "mes", "1m", "accepted"]


def test_mermaid_and_graphviz_get_one_arrow_for_all_between_two_systems(called: Mombus) -> None:
    mermaid = called("flows", "--mermaid", cwd=ROOT).stdout
    assert mermaid.startswith("flowchart LR\n")
    assert '  erp["erp<br>erp.b2mml"]\n' in mermaid
    assert '  mes -->|"production response, within 15m<br>material consumption, within 15m"| erp\n' in mermaid
    dot = called("flows", "--dot", cwd=ROOT).stdout
    assert dot.startswith("digraph mombus {\n")
    assert '"mes" -> "cmms" [label="downtime (some)"];' in dot


def test_one_format_at_a_time(called: Mombus) -> None:
    assert called("flows", "--dot", "--json", cwd=ROOT).returncode == 64


def test_a_configuration_with_errors_is_said_to_have_them(called: Mombus, tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text("version: 1\n")
    done = called("flows", str(tmp_path / "routes.yaml"), cwd=ROOT)
    assert done.returncode == 78
    assert "routes.yaml" in done.stderr
