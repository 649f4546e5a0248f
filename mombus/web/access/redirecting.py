"""Where somebody goes on after signing in: a page of this hub, whatever a link said."""

from __future__ import annotations

import re

_HERE = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of this host (RFC 3986, 4.2): nothing that a browser takes for another host or another scheme."""
MOST = 2000


def after(next: str) -> str:
    """`next` if it is a path here, else the first page."""
    return next if len(next) <= MOST and _HERE.fullmatch(next) and not next.startswith("/sign-") else "/"
