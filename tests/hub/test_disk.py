"""The disk is watched: people are warned, then nothing more is taken in, then spools keep nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from mombus.config.share import bytes_of, share
from mombus.config.size import Size
from mombus.hub.store.disk import Disk

GIB = 1024**3


class Room:
    """A disk of 100 GiB."""

    def __init__(self, free_gib: float) -> None:
        self.free_gib = free_gib

    def __call__(self, _folder: Path) -> tuple[int, int, int]:
        return 100 * GIB, 0, int(self.free_gib * GIB)


def test_it_is_told_before_it_is_full_and_goes_on_when_there_is_room() -> None:
    room = Room(50)
    disk = Disk(Path("/var/mombus"), warn="10%", stop="4 GiB", usage=room)
    seen = []
    for free_gib in (50, 9, 3.9, 1.9, 6.9, 7.1, 50):
        room.free_gib = free_gib
        disk.look()
        seen.append((bool(disk.warning()), bool(disk.stopped()), bool(disk.full())))
    warned, stopped, full = (True, False, False), (False, True, False), (False, True, True)
    assert seen == [(False,) * 3, warned, stopped, full, stopped, warned, (False,) * 3]


def test_what_to_do_is_said() -> None:
    disk = Disk(Path("/var/mombus"), warn="10%", stop="5%", usage=Room(4))
    assert disk.stopped() == (
        "4 GiB are left on the disk of /var/mombus, nothing is taken in below 5 GiB: "
        "make room, or give `bus: {keep: …}` smaller sizes"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5%", 5 * GIB), ("2 GiB", 2 * GIB), ("10%, at most 2 GiB", 2 * GIB), ("1%, at most 2 GiB", GIB), ("0", 0)],
)
def test_shares_of_a_disk(text: str, expected: int) -> None:
    assert bytes_of(text, 100 * GIB) == expected


@pytest.mark.parametrize("text", ["five", "5 %%", "100%", "5%, at most", "-1", "1e9"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no share of a disk; write 5%"):
        share(text)


@pytest.mark.parametrize(("text", "size"), [("256 MiB", 256 * 1024**2), ("1.5 KB", 1500), ("7 B", 7), (0, 0), ("0", 0)])
def test_sizes(text: str | int, size: int) -> None:
    assert Size.of(text) == size


def test_sizes_are_printed_as_people_write_them() -> None:
    assert [str(Size(size)) for size in (10, 2048, 256 * 1024**2, 3 * GIB // 2)] == [
        "10 B", "2 KiB", "256 MiB", "1.5 GiB",
    ]  # fmt: skip
