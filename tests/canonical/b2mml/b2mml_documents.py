"""Documents as systems write them."""

from __future__ import annotations

from canonical.b2mml import Document, read
from canonical.b2mml.table import NAMESPACES, V4, V7

from b2mml_objects import NOW  # isort: skip

SPACE = NAMESPACES[V7]
SPACE_V4 = NAMESPACES[V4]
AREA = """<ApplicationArea><Sender><LogicalID>ERP</LogicalID><ConfirmationCode>Always</ConfirmationCode></Sender>
<CreationDateTime>2026-03-02T05:00:00Z</CreationDateTime><BODID>BOD-9</BODID></ApplicationArea>"""


def document(verb: str, noun: str, body: str, *, space: str = SPACE, area: str = AREA, said: str | None = None) -> str:
    """A document around the nouns in `body`."""
    name = "Sync" if verb == "Notify" else verb
    return f"""<{verb}{noun} xmlns="{space}" releaseID="7.0.1">{area}<DataArea>{said or f"<{name}/>"}{body}</DataArea>
</{verb}{noun}>"""


def segment(inner: str = "", ident: str = "10") -> str:
    """A segment requirement with what the XSD requires."""
    return f"""<SegmentRequirement><ID>{ident}</ID><ProcessSegmentID>FILL</ProcessSegmentID><OperationsDefinitionID/>
<OperationsSegmentID/>{inner}</SegmentRequirement>"""


def order(ident: str, inner: str = "", head: str = "") -> str:
    """An operations request with one segment."""
    return f"<OperationsRequest><ID>{ident}</ID>{head}{segment(inner)}</OperationsRequest>"


def schedule(*orders: str, verb: str = "Process", head: str = "", said: str | None = None) -> str:
    """A schedule of operations requests."""
    body = f"<OperationsSchedule><ID>S-1</ID>{head}{''.join(orders)}</OperationsSchedule>"
    return document(verb, "OperationsSchedule", body, said=said)


def performance(*segments: str, head: str = "", response: str = "<ID>R</ID>") -> str:
    """A performance of one response with segment responses."""
    inner = f"<OperationsResponse>{response}{''.join(segments)}</OperationsResponse>"
    body = f"<OperationsPerformance><ID>P-1</ID>{head}{inner}</OperationsPerformance>"
    return document("Sync", "OperationsPerformance", body)


def quantity(value: str = "1", unit: str = "KGM") -> str:
    """A quantity."""
    return f"""<Quantity><QuantityString>{value}</QuantityString><UnitOfMeasure>{unit}</UnitOfMeasure></Quantity>"""


def material(ident: str, inner: str = "") -> str:
    """A material requirement."""
    return f"<MaterialRequirement><ID>{ident}</ID>{inner}</MaterialRequirement>"


def taken(xml: str | bytes, **given: object) -> Document:
    """Read a document of the ERP."""
    data = xml if isinstance(xml, bytes) else xml.encode()
    return read(data, source="erp", site="lyon", recorded=NOW, **given)  # type: ignore[arg-type]
