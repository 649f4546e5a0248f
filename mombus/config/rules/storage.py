"""Room on the disk: people are warned before nothing is taken in any more, and what is kept fits onto it together."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from mombus.config.share import bytes_of, is_relative
from mombus.config.size import Size

if TYPE_CHECKING:
    from pathlib import Path

    from mombus.config.draft import Draft
    from mombus.config.finding import Findings
    from mombus.config.model import Bus

_GIB = 1024**3
DISKS = (20 * _GIB, 100 * _GIB, 1024 * _GIB, 10 * 1024 * _GIB)
"""Sizes of disks that shares are tried on."""
SIZES = ("mom_size", "signals_size", "raw_size", "dead_size")
LESS = "mom_size, signals_size, raw_size, dead_size and disk_stop share the disk: give them less"


def people_are_warned_in_time(draft: Draft, findings: Findings) -> None:
    """There is less room when nothing is taken in any more than when people are warned."""
    bus = draft.bus
    if bus is None:
        return
    for disk in DISKS:
        warn, stop = bytes_of(bus.disk_warn, disk), bytes_of(bus.disk_stop, disk)
        if warn < stop:
            named = "disk_warn" if "disk_warn" in bus.model_fields_set else "disk_stop"
            message = (
                f"of a disk of {Size(disk)}, people would be warned below {Size(warn)}, when below {Size(stop)} "
                "nothing is taken in any more"
            )
            hint = f"disk_warn is '{bus.disk_warn}', disk_stop '{bus.disk_stop}': make disk_warn the larger one"
            findings.error(draft.mark("bus", named), f"bus.{named}", message, hint)
            return


def shares_are_of_a_known_disk(draft: Draft, findings: Findings) -> None:
    """The disk of somebody else's broker isn't known here."""
    if draft.bus is None or draft.bus.broker == "embedded":
        return
    for name in SIZES:
        if name in draft.bus.keep.model_fields_set and is_relative(getattr(draft.bus.keep, name)):
            message = "a share of which disk? The broker is one of your own, and its disk isn't known here"
            mark = draft.mark("bus", "keep", name)
            findings.error(mark, f"bus.keep.{name}", message, "write a size, such as 40 GiB")


def streams_fit_together(draft: Draft, findings: Findings) -> None:
    """What the streams may take and what must stay free is no more than the disk of the broker that the hub starts."""
    bus = draft.bus
    if bus is None or bus.broker != "embedded" or (place := _largest(bus)) is None:
        return
    percent = 100 * _taken(bus, DISKS[-1]) / DISKS[-1]
    disk = shutil.disk_usage(_standing(draft.folder / bus.folder)).total
    if percent > 100 and is_relative(_at(bus, place)):
        message = f"the streams and what must stay free add up to {percent:.0f}% of a disk of {Size(DISKS[-1])}"
        findings.error(draft.mark(*place), ".".join(place), message, LESS)
    elif _taken(bus, disk) > disk:
        message = f"the streams and what must stay free may take {Size(_taken(bus, disk))}; this disk has {Size(disk)}"
        findings.warning(draft.mark(*place), ".".join(place), message, LESS)


def spools_fit(draft: Draft, findings: Findings) -> None:
    """A spool may not be larger than the disk it is on."""
    disk = shutil.disk_usage(_standing(draft.folder / draft.bus.folder)).total if draft.bus else 0
    for name, system in draft.systems.items():
        if draft.bus and system.spool > disk:
            message = f"{Size(system.spool)} may be spooled, and this disk has {Size(disk)}"
            findings.warning(draft.mark("systems", name, "spool"), f"systems.{name}.spool", message, "give it less")


def folder_is_one(draft: Draft, findings: Findings) -> None:
    """What is there under the folder's name is no file."""
    if draft.bus is not None and (draft.folder / draft.bus.folder).is_file():
        message = f"{draft.bus.folder} is a file, and broker and journal need a folder"
        findings.error(draft.mark("bus", "folder"), "bus.folder", message, "name another one, such as .mombus")


def what_is_named_is_used(draft: Draft, findings: Findings) -> None:
    """Credentials for a broker or database of one's own mean that there is one."""
    for names, part in ((("credentials", "token", "ca"), "broker"), (("store_user", "store_password"), "store")):
        for name in names:
            if draft.bus and getattr(draft.bus, part) == "embedded" and name in draft.bus.model_fields_set:
                message = f"it is for a {part} of your own, and the {part} is embedded"
                findings.warning(draft.mark("bus", name), f"bus.{name}", message, f"name it in bus.{part}")


RULES = (
    people_are_warned_in_time, shares_are_of_a_known_disk, streams_fit_together, spools_fit, folder_is_one,
    what_is_named_is_used,
)  # fmt: skip


def _largest(bus: Bus) -> tuple[str, ...] | None:
    """Where the largest share is declared, None if none is."""
    declared: list[tuple[str, ...]] = [("bus", "keep", name) for name in SIZES if name in bus.keep.model_fields_set]
    declared += [("bus", "disk_stop")] if "disk_stop" in bus.model_fields_set else []
    return max(declared, key=lambda place: bytes_of(_at(bus, place), DISKS[-1]), default=None)


def _at(bus: Bus, place: tuple[str, ...]) -> str:
    return str(getattr(bus.keep if "keep" in place else bus, place[-1]))


def _taken(bus: Bus, disk: int) -> int:
    return sum(bytes_of(getattr(bus.keep, name), disk) for name in SIZES) + bytes_of(bus.disk_stop, disk)


def _standing(folder: Path) -> Path:
    """The folder, or what is there of the way to it."""
    absolute = folder.resolve()
    return next(place for place in (absolute, *absolute.parents) if place.exists())
