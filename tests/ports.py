"""Ports for servers of tests."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress

WORKERS = 8
EACH = 1500
LOWEST = 20_000


def free_port() -> int:
    """A port nobody listens on, below those that the system gives to connections: none takes it meanwhile.

    Tests that run side by side in several processes take theirs from other ranges.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    while True:
        port = LOWEST + worker * EACH + random.randrange(EACH)  # noqa: S311 - two in one process seldom meet
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
