"""`mombus new` on the command line: what it prints, and its exit codes. What it makes is proven in tests/scaffold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Mombus


def test_a_plant_is_made_and_what_to_do_next_is_said(mombus: Mombus, tmp_path: Path) -> None:
    done = mombus("new", "plant", "Lyon 2", "--timezone", "Europe/Paris")
    assert done.returncode == 0
    assert "Lyon 2/routes.yaml" in done.stdout
    assert "Next: cd 'Lyon 2' && mombus test && mombus run" in done.stderr
    assert "site: lyon-2" in (tmp_path / "Lyon 2" / "routes.yaml").read_text()


def test_a_kind_that_is_there_is_refused_and_a_dry_run_writes_nothing(called: Mombus, tmp_path: Path) -> None:
    done = called("new", "connector", "erp.b2mml")
    assert done.returncode == 64
    assert "`mombus connectors erp.b2mml` shows it" in done.stderr
    assert called("new", "connector", "acme.crm", "--dry-run").returncode == 0
    assert not list(tmp_path.iterdir())
