"""The wire to systems that speak NATS themselves, and a connector for them from YAML alone."""

from connectors.protocols.nats.connector import Nats
from connectors.protocols.nats.settings import NatsConfig

__all__ = ["Nats", "NatsConfig"]
