"""What the pages of one process seal with, kept while the configuration behind them changes.

A form that was open in a browser then is still taken, and a sign-in that was begun still ends, once.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

_KEY_BYTES = 32


def _new() -> bytes:
    return secrets.token_bytes(_KEY_BYTES)


@dataclass(frozen=True, slots=True)
class Keys:
    """Made anew with each process: what was loaded before that has to be loaded again.

    `forms` seals the tokens of who isn't signed in, `sign_ins` what is remembered of a sign-in at a provider; `ended`
    are those that have ended.
    """

    forms: bytes = field(default_factory=_new, repr=False)
    sign_ins: bytes = field(default_factory=_new, repr=False)
    ended: OrderedDict[str, None] = field(default_factory=OrderedDict, repr=False)
