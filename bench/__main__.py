"""What the bus costs, beside the bare library under it, measured now on this machine."""

from __future__ import annotations

import argparse
import ast
import json
import logging
import os
import platform
import sys
import time
from importlib import import_module
from pathlib import Path

import structlog

from bench.figure import Figure, table
from mombus.hub.cycles import look_rarely

NAMES = ("b2mml", "handovers", "lanes", "latency", "opcua", "memory", "startup", "recovery", "viewers")
"""The modules of this package with a `run(quick)` that returns figures, in the order they run."""
LONG = ("many", "large", "search")
"""Those that run only when they are named: they take many minutes."""


def main() -> int:
    """Run the benches named, by default all but the long ones. Exit code 0, whatever the figures say."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, epilog=_menu(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to measure, of the list below")
    parser.add_argument("--quick", action="store_true", help="fewer rounds of less: rough figures in under a minute")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in NAMES + LONG]
    if unknown:
        parser.error(f"there is no bench '{unknown[0]}'; there are {', '.join(NAMES + LONG)}")
    _quiet()
    look_rarely()
    figures = [figure for name in asked.names or NAMES for figure in _run(name, quick=asked.quick)]
    if asked.json:
        print(json.dumps({"machine": _machine(), "figures": [figure.as_json() for figure in figures]}, indent=2))
    else:
        print(f"{table(figures)}\n\n{_machine()}")
    return 0


def _menu() -> str:
    """What each measures: the first sentence of its own words, read without importing it."""
    lines = [f"  {name:<10}  {_says(name)}" for name in NAMES]
    lines += [
        "",
        "only when named, because they take many minutes:",
        *(f"  {name:<10}  {_says(name)}" for name in LONG),
    ]
    return "\n".join(["measured by default:", *lines])


def _says(name: str) -> str:
    text = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def _run(name: str, *, quick: bool) -> list[Figure]:
    begin = time.perf_counter()
    print(f"{name} …", file=sys.stderr, flush=True)
    figures = import_module(f"bench.{name}").run(quick)
    print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    return list(figures)


def _quiet() -> None:
    """Hubs and clients in this process log nothing: what goes wrong here is raised."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _machine() -> str:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"load {load:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
