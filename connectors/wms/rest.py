"""A warehouse system with a GreaterWMS-like JSON API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from connectors.protocols.rest import Endpoint, Rest
from connectors.protocols.rest.profile import profile

if TYPE_CHECKING:
    from connectors.connector import ConnectorConfig
    from connectors.protocols.rest import Wire


class WmsRestConfig(Endpoint):
    """Where the warehouse is; its token goes in the header token."""

    token_header: str | None = Field(default="token", description="Header for the token.")


class WmsRest(Rest):
    """The warehouse: takes demands, receipts, issues and releases, states movements and stock."""

    Config: ClassVar[type[ConnectorConfig]] = WmsRestConfig
    summary: ClassVar[str] = "Warehouse with a GreaterWMS-like JSON API: staging, issues, receipts, movements, stock."

    def _wire(self, config: Any) -> Wire:
        return profile("connectors.wms")
