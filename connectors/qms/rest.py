"""A laboratory or quality system with a SENAITE-like JSON API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from connectors.protocols.rest import Endpoint, Rest
from connectors.protocols.rest.profile import profile

if TYPE_CHECKING:
    from connectors.connector import ConnectorConfig
    from connectors.protocols.rest import Wire


class QmsRestConfig(Endpoint):
    """Where the laboratory is; its token goes as a bearer token."""


class QmsRest(Rest):
    """The laboratory: takes inspection orders, states results and decisions on lots."""

    Config: ClassVar[type[ConnectorConfig]] = QmsRestConfig
    summary: ClassVar[str] = "Laboratory with a SENAITE-like JSON API: inspection orders, results, release decisions."

    def _wire(self, config: Any) -> Wire:
        return profile("connectors.qms")
