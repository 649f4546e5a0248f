"""MESA's schemas, where the checkout has them beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

B2MML = Path(__file__).parents[4] / "shared" / "b2mml"


@pytest.fixture(scope="session")
def xsd_folder() -> Path:
    if not (B2MML / "xsd" / "AllSchemas.xsd").exists():
        pytest.skip("MESA's B2MML schemas are not at ../shared/b2mml")
    return B2MML / "xsd"


@pytest.fixture(scope="session")
def schema(xsd_folder: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(xsd_folder / "AllSchemas.xsd"))


@pytest.fixture(scope="session")
def examples() -> Path:
    if not (B2MML / "examples").exists():
        pytest.skip("MESA's B2MML examples are not at ../shared/b2mml")
    return B2MML / "examples"
