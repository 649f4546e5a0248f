"""A B2MML schedule of 100 MB through an ERP's door: how long it takes, and how much memory the hub needs for it.

The hub runs in a process of its own; the document is made while it is sent. Bare is the same hub before it came.
"""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.b2mml import order, written
from bench.figure import Aim, Figure
from bench.hub import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 100_000_000
AIM = Aim("value", "most", 300)
TIMEOUT_S = 3600
LOOK_AGAIN_S = 0.1
ROUTES = """
version: 1
plant: {{enterprise: acme, site: lyon, timezone: Europe/Paris}}
bus: {{broker: embedded, store: embedded, folder: hub}}
http: {{port: {port}}}
systems:
  erp:
    connector: erp.b2mml
    url: "http://127.0.0.1:9/erp?wsdl"
    door: {{max_bytes: 200000000, body_timeout_s: 3600}}
objects:
  production_order: {{owner: erp, process_owner: planning@acme.example}}
"""


def run(quick: bool) -> list[Figure]:
    """Seconds until it is acknowledged, and the hub's highest resident memory."""
    size = 5_000_000 if quick else SIZE
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES.format(port=port), "utf-8")
        with running([routes], port) as process:
            hub = psutil.Process(process.pid)
            idle, begin = hub.memory_info().rss / 2**20, time.monotonic()
            peak = _peak(hub, threading.Thread(target=_post, args=(port, size)))
            seconds = time.monotonic() - begin
    name = f"a schedule of {size / 1e6:.0f} MB"
    return [
        Figure(name=f"{name} stored", value=seconds, unit="s", note=f"{size / 1e6 / seconds:.1f} MB a second"),
        Figure(name=f"peak memory, hub, {name}", value=peak, unit="MiB", bare=idle, aim=AIM),
    ]


def _peak(hub: psutil.Process, posting: threading.Thread) -> float:
    """The hub's highest resident memory in MiB while it takes the document."""
    peak = 0.0
    posting.start()
    while posting.is_alive():
        peak = max(peak, hub.memory_info().rss / 2**20)
        time.sleep(LOOK_AGAIN_S)
    return peak


def _post(port: int, size: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("POST", "/in/erp", _document(size), {"Content-Type": "application/xml"}, encode_chunked=True)
    answer = connection.getresponse()
    said = answer.read()
    if answer.status not in {200, 202} or b"Rejected" in said:
        raise RuntimeError(f"{answer.status}: {said[:500]!r}")


def _document(size: int) -> Iterator[bytes]:
    """Orders numbered from 0, of about `size` bytes, as one document."""
    whole = written([order(0)])
    start, end = whole.index(b"<OperationsRequest>"), whole.index(b"</OperationsSchedule>")
    yield whole[:start]
    one, sent, number = whole[start:end], 0, 0
    while sent < size:
        orders = b"".join(one.replace(b"PO-0", b"PO-%d" % n) for n in range(number, number + 100))
        sent, number = sent + len(orders), number + 100
        yield orders
    yield whole[end:]
