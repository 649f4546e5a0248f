"""With `--json` stdout is JSON also where a command fails: what it said on stderr, for who reads only stdout."""

from __future__ import annotations

import json
import sys
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

KEPT = 200
"""How many pieces of what was said are kept, the last ones."""


class _Heard:
    """A stream that notes what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.said: deque[str] = deque(maxlen=KEPT)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        self.said.append(text)
        return written


@contextmanager
def telling_in_json() -> Iterator[None]:
    """Around a command that was asked for JSON: where it fails and has printed nothing, `{"error": …}` is printed."""
    out, err = _Heard(sys.stdout), _Heard(sys.stderr)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        yield
    except SystemExit as ended:
        if ended.code and not out.said:
            out.write(json.dumps({"error": "".join(err.said).strip()}, ensure_ascii=False) + "\n")
        raise
    finally:
        sys.stdout, sys.stderr = before
