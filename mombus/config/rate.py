"""How fast, as people write it: `10/s`, `600/min`, `5000/h`."""

from __future__ import annotations

import re

_RATE = re.compile(r"(?P<number>\d{1,7}(?:\.\d{1,3})?) */ *(?P<unit>s|min|h)")
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}


def per_second(text: str) -> float:
    """A rate as a number per second. Raises ValueError for anything else, and for zero."""
    found = _RATE.fullmatch(text.strip())
    rate = float(found["number"]) / _SECONDS[found["unit"]] if found else 0.0
    if not rate:
        raise ValueError(f"'{text}' is no rate; write 10/s, 600/min or 5000/h")
    return rate
