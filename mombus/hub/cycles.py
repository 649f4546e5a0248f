"""Garbage in cycles: looked for rarely, and never among what stays."""

from __future__ import annotations

import gc

NEW = 10_000
"""So many more objects made than freed, and the new ones are looked at: a millisecond or two of the event loop's time.
Python's own 700 would have them looked at for every few messages, and all there are, a hundred milliseconds' worth,
whenever a batch is in hand."""
OLDER = 10
"""So many looks at the new ones, and the older ones are looked at too."""


def look_rarely() -> None:
    """From now on; what is there now stays out of it. For a process that has been put together and is about to work.

    Nearly everything is freed without it, as soon as nobody needs it any more.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW, OLDER, OLDER)
