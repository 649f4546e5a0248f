"""`mombus new` on the command line: what it prints, and its exit codes. What it makes is proven in tests/scaffold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Mombus


def test_a_plant_is_made_once(mombus: Mombus, tmp_path: Path) -> None:
    done = mombus("new", "plant", "Lyon 2", "--dry-run")
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())
    done = mombus("new", "plant", "Lyon 2", "--timezone", "Europe/Paris")
    assert done.returncode == 0
    assert "Lyon 2/routes.yaml" in done.stdout
    assert "Next: cd 'Lyon 2' && mombus test && mombus run" in done.stderr
    assert "site: lyon-2" in (tmp_path / "Lyon 2" / "routes.yaml").read_text()
    done = mombus("new", "plant", "Lyon 2")
    assert done.returncode == 1
    assert "is there already: nothing was written" in done.stderr


def test_names_that_cannot_be_are_refused(mombus: Mombus, tmp_path: Path) -> None:
    done = mombus("new", "plant", "x", "--timezone", "Europe/Lyon")
    assert done.returncode == 64
    assert "there is no time zone 'Europe/Lyon'" in done.stderr
    done = mombus("new", "connector", "erp.b2mml")
    assert done.returncode == 64
    assert "`mombus connectors erp.b2mml` shows it" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_route_needs_a_configuration(mombus: Mombus) -> None:
    done = mombus("new", "route", "downtime", "cmms")
    assert done.returncode == 64
    assert "`mombus new plant DIR` makes one" in done.stderr
