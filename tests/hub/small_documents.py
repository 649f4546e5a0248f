"""What the small plant's systems say, each in its own words."""

from __future__ import annotations

from typing import Any

B2MML = "http://www.mesa.org/xml/B2MML"
AT = "2026-03-02T09:00:00+01:00"


def order(id: str, quantity: str = "240", more: str = "") -> str:
    return f"""<OperationsRequest><ID>{id}</ID>{more}<OperationsType>Production</OperationsType>
      <RequestState>Released</RequestState><SegmentRequirement><ID>0010</ID><ProcessSegmentID>FILLING</ProcessSegmentID>
      <OperationsDefinitionID>FG-1000</OperationsDefinitionID><OperationsSegmentID>0010</OperationsSegmentID>
      <MaterialRequirement><ID>1</ID><MaterialDefinitionID>FG-1000</MaterialDefinitionID>
      <MaterialUse>Produced</MaterialUse><Quantity><QuantityString>{quantity}</QuantityString>
      <DataType>decimal</DataType><UnitOfMeasure>H87</UnitOfMeasure></Quantity></MaterialRequirement>
      </SegmentRequirement></OperationsRequest>"""


def schedule(*orders: str) -> bytes:
    return f"""<ProcessOperationsSchedule xmlns="{B2MML}" releaseID="7.0.1"><ApplicationArea><Sender>
    <LogicalID>erp</LogicalID><ConfirmationCode>Always</ConfirmationCode></Sender>
    <CreationDateTime>{AT}</CreationDateTime><BODID>B-1</BODID></ApplicationArea><DataArea><Process/>
    <OperationsSchedule><ID>S</ID>{"".join(orders)}</OperationsSchedule></DataArea>
    </ProcessOperationsSchedule>""".encode()


def enveloped(document: bytes) -> bytes:
    return (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' + document
        + b"</s:Body></s:Envelope>"
    )  # fmt: skip


def decision(id: str, **more: Any) -> dict[str, Any]:
    return {"ref": id, "lot": f"{id}-L1", "decided": AT} | more


def confirmation(id: str, **more: Any) -> dict[str, Any]:
    return {
        "msgId": f"m-{id}", "ts": AT, "confirmationNo": id, "orderNo": "PO-4711", "final": False, "good": 120,
        "workCenter": "LINE1", "article": "FG-1000", "uom": "PC", "startAt": AT, "endAt": AT,
    } | more  # fmt: skip
