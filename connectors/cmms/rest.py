"""A maintenance system with an Atlas-like JSON API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from connectors.protocols.rest import Endpoint, Rest
from connectors.protocols.rest.profile import profile

if TYPE_CHECKING:
    from connectors.connector import ConnectorConfig
    from connectors.protocols.rest import Wire


class CmmsRestConfig(Endpoint):
    """Where the maintenance system is; its key goes in the header x-api-key."""

    token_header: str | None = Field(default="x-api-key", description="Header for the key.")


class CmmsRest(Rest):
    """The maintenance system: takes requests and downtimes, states what becomes of requests."""

    Config: ClassVar[type[ConnectorConfig]] = CmmsRestConfig
    summary: ClassVar[str] = "Maintenance system with an Atlas-like JSON API: work requests and asset downtimes."

    def _wire(self, config: Any) -> Wire:
        return profile("connectors.cmms")
