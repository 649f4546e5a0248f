"""JSON APIs over HTTP: the wire of the REST profiles, and a connector of its own from YAML alone."""

from connectors.protocols.rest.connector import Rest
from connectors.protocols.rest.settings import Endpoint, RestConfig, Wire

__all__ = ["Endpoint", "Rest", "RestConfig", "Wire"]
