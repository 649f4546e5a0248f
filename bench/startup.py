"""How long people wait: for `mombus --help`, and for the hub of the example plant to be ready.

Bare is the interpreter that starts and does nothing. The hub starts with its embedded broker, its journal and a new
folder each time, on this repository's routes.yaml, its systems at addresses where nobody answers; ready is when
/readyz says so. The first start of each warms the disk's cache up, the median of the others counts.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.figure import Aim, Figure
from bench.hub import MOMBUS, ROOT, free_port, running

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTES = ROOT / "routes.yaml"
NOWHERE = """
bus: {{folder: {folder}}}
http: {{port: {port}}}
systems:
  erp: {{url: "http://127.0.0.1:1/erp?wsdl"}}
  mes: {{url: "mqtt://127.0.0.1:1"}}
  line1: {{url: "opc.tcp://127.0.0.1:1"}}
  qms: {{url: "http://127.0.0.1:1"}}
  cmms: {{url: "http://127.0.0.1:1"}}
  wms: {{url: "http://127.0.0.1:1"}}
"""


def run(quick: bool) -> list[Figure]:
    """Seconds until the help is printed, and until the hub is ready."""
    often, hubs = (5, 1) if quick else (10, 5)
    bare = _median(often, lambda: _timed([sys.executable, "-c", "pass"]))
    shown = _median(often, lambda: _timed([*MOMBUS, "--help"]))
    ready = _median(hubs, _hub_ready)
    return [
        Figure(
            name="mombus --help", value=shown, unit="s", bare=bare, aim=Aim("value", "most", 0.3),
            note=f"median of {often}",
        ),
        Figure(name="hub ready", value=ready, unit="s", aim=Aim("value", "most", 2), note=f"median of {hubs}"),
    ]  # fmt: skip


def _median(often: int, once: Callable[[], float]) -> float:
    once()
    return median(once() for _ in range(often))


def _timed(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def _hub_ready() -> float:
    with tempfile.TemporaryDirectory() as name:
        overlay, port = Path(name) / "bench.yaml", free_port()
        overlay.write_text(NOWHERE.format(folder=Path(name) / "hub", port=port), "utf-8")
        begin = time.perf_counter()
        with running([ROUTES, overlay], port):
            return time.perf_counter() - begin
