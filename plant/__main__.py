"""`python -m plant`: run the simulated plant until SIGTERM or SIGINT.

When every system listens, one line of JSON with their addresses is written to stdout.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import logging
import os
import signal
import sys

from plant.ending import end
from plant.plant import EPHEMERAL, HUB, USUAL, Plant

PR_SET_PDEATHSIG = 1
INTERVAL_S = 90.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m plant", description="The simulated packaging plant.")
    parser.add_argument("--pace", type=float, default=1.0, help="how slow: 1 is live, 0 as fast as it can be followed")
    parser.add_argument("--orders", type=int, default=1, help="how many orders the ERP releases; 0: for ever")
    parser.add_argument("--interval", type=float, help="seconds between orders; 90 times the pace if not given")
    parser.add_argument(
        "--ports", choices=["base", "ephemeral"], default="base", help="routes.yaml's ports, or free ones"
    )
    parser.add_argument("--hub", default=HUB, help="address of the hub's HTTP server")
    parser.add_argument("--die-with-parent", action="store_true", help="end when the process that started it ends")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    ports = USUAL if arguments.ports == "base" else EPHEMERAL
    async with Plant(arguments.hub, arguments.pace, ports) as plant:
        sys.stdout.write(json.dumps(plant.urls | {"pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        interval_s = INTERVAL_S * arguments.pace if arguments.interval is None else arguments.interval
        releasing = asyncio.create_task(plant.release_orders(arguments.orders, interval_s))
        await ended.wait()
        await end([releasing])


def _die_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent ends (Linux); leave at once if it has ended already."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if parent == 1 or os.getppid() != parent:
        sys.exit("the process that started the plant is gone")


def main() -> None:
    """Run the plant; exit 1 with the reason when a system can't start."""
    arguments = _arguments()
    logging.basicConfig(level=logging.ERROR)
    if arguments.die_with_parent:
        _die_with_parent()
    try:
        asyncio.run(_run(arguments))
    except (OSError, RuntimeError) as error:
        sys.exit(f"the plant can't start: {error}")


if __name__ == "__main__":
    main()
