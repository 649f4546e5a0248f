"""What the exit codes of `mombus` mean, in every command."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; those for usage and configuration are of sysexits.h."""

    OK = 0
    FINDINGS = 1
    """It worked, and found something that needs a person: findings, stale files, a failed proof."""
    CHANGES = 2
    """It worked, and what was asked for would change something."""
    USAGE = 64
    """The command line can't be understood."""
    CONFIG = 78
    """routes.yaml can't be used as it is."""
    INTERRUPTED = 130
    """Ctrl-C, as shells say it."""
