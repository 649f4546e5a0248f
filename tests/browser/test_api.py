"""The HTTP API keeps to what /openapi.json says of it, whatever schemathesis asks, against the demo's hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from demo_hub import demo_hub
from hypothesis import HealthCheck, Phase, given, settings
from patience import PATIENCE_S
from ports import free_port
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo_hub import DemoHub

TOKEN = "the-programs-token"
EACH = 8
"""Questions of each path and method; as many as prove something in a few seconds."""
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
LASTING = {"/api/tap"}
"""What goes on until it is left: it is tested where it is read."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoHub]:
    """A hub that asks programs for a token."""
    with demo_hub(tmp_path_factory.mktemp("api"), free_port(), {"http": {"token": TOKEN}}) as running:
        yield running


def test_whatever_is_asked_is_answered_as_the_api_is_declared(hub: DemoHub) -> None:
    shown = {"authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(f"{hub.url}/openapi.json", headers=shown, timeout=PATIENCE_S)
    found = [result.ok() for result in schema.get_all_operations()]
    operations = [operation for operation in found if operation.path not in LASTING]
    assert len(operations) > 20
    wrong: list[str] = []
    for operation in operations:
        try:
            _ask(operation, shown)
        except (Exception, BaseExceptionGroup) as failure:  # noqa: BLE001 - all are tried before any is told of
            wrong.append(f"{operation.method.upper()} {operation.path}: {failure}")
    assert not wrong, "\n\n".join(wrong)
    assert httpx.get(f"{hub.url}/livez").status_code == 200


def _ask(operation: Any, shown: dict[str, str]) -> None:
    @settings(
        max_examples=EACH,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def asked(case: Any) -> None:
        case.call_and_validate(headers=shown, checks=CHECKS, timeout=PATIENCE_S)

    asked()
