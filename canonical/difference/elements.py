"""XML documents by their elements: namespaces count, prefixes and spacing between elements don't."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from canonical.b2mml.faults import DocumentError
from canonical.b2mml.secure import parse
from canonical.difference.aligned import by_content, by_identity
from canonical.difference.found import What, placed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from canonical.difference.aligned import Pair
    from canonical.difference.found import Found

_ENVELOPES = frozenset({"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"})
_IDENTITIES = ("ID", "Id", "id")


class NotXmlError(ValueError):
    """One of the two can't be read as XML, or isn't safe to."""


class _Place(NamedTuple):
    """Two elements at one place."""

    path: str
    before: etree._Element
    after: etree._Element


def compare_xml(before: bytes, after: bytes, found: Found) -> None:
    """Add what differs. Where one of the two is in a SOAP envelope, its content is compared. Raises NotXmlError."""
    try:
        was, now = parse(before), parse(after)
    except DocumentError as error:
        raise NotXmlError(str(error)) from None
    if _is_envelope(was) != _is_envelope(now):
        was, now = _content(was), _content(now)
    if was.tag != now.tag:
        found.add(_named(now), _named(now), What.CHANGED, _said(was), _said(now))
        return
    places = [_Place(_named(now), was, now)]
    while places:
        place = places.pop()
        _attributes(place, found)
        places += reversed(_children(place, found))


def _attributes(place: _Place, found: Found) -> None:
    was, now = place.before.attrib, place.after.attrib
    for name in dict.fromkeys((*was, *now)):
        old, new = was.get(name), now.get(name)
        if old != new:
            what = What.ADDED if old is None else What.REMOVED if new is None else What.CHANGED
            path = placed(f"{place.path}/@{_local(str(name))}")
            found.add(path, path, what, _text(old), _text(new))


def _children(place: _Place, found: Found) -> list[_Place]:
    """The elements that both have and that may differ; texts, and those that only one has, are told."""
    was, now = list(place.before), list(place.after)
    old, new = _own_text(place.before), _own_text(place.after)
    if old != new:
        found.add(place.path, place.path, What.CHANGED, old, new)
    if not was and not now:
        return []
    names = _names(was), _names(now)
    inner: list[_Place] = []
    for pair in _pairs(place, was, now, names, found):
        if pair.before is not None and pair.after is not None and was[pair.before].tag == now[pair.after].tag:
            path = placed(f"{place.path}/{names[1][pair.after]}")
            inner.append(_Place(path, was[pair.before], now[pair.after]))
            continue
        if pair.before is not None:
            path = placed(f"{place.path}/{names[0][pair.before]}")
            found.add(path, path, What.REMOVED, _said(was[pair.before]), None)
        if pair.after is not None:
            path = placed(f"{place.path}/{names[1][pair.after]}")
            found.add(path, path, What.ADDED, None, _said(now[pair.after]))
    return inner


def _pairs(
    place: _Place, was: Sequence[etree._Element], now: Sequence[etree._Element],
    names: tuple[Sequence[str], Sequence[str]], found: Found,
) -> Sequence[Pair]:  # fmt: skip
    """By tag and id where that is clear, else by what stayed the same."""
    pairs = by_identity(*_identities(was, now))
    if pairs is None:
        return list(by_content([_whole(one) for one in was], [_whole(one) for one in now], found))
    both = [pair for pair in pairs if pair.before is not None and pair.after is not None]
    moved = sorted(both, key=lambda pair: pair.after or 0)
    if moved != both:
        old, new = (", ".join(names[0][pair.before or 0] for pair in side) for side in (both, moved))
        found.add(place.path, place.path, What.ORDER, old, new)
    return pairs


def _identities(*sides: Sequence[etree._Element]) -> Iterator[list[Hashable | None]]:
    """What each element is known by: its name where neither side has two of it, else its name and id."""
    times = [Counter(str(one.tag) for one in side) for side in sides]
    for side in sides:
        yield [
            (one.tag, "") if max(count[str(one.tag)] for count in times) == 1 else _known(one) for one in side
        ]  # fmt: skip


def _known(element: etree._Element) -> tuple[str, str] | None:
    id = _id_of(element)
    return None if id is None else (str(element.tag), id)


def _id_of(element: etree._Element) -> str | None:
    for child in element:
        if _local(str(child.tag)) in _IDENTITIES:
            return (child.text or "").strip()
    return element.get("id") or element.get("ID")


def _names(siblings: Sequence[etree._Element]) -> list[str]:
    """`SegmentRequirement[10]`; without an id by its number among those of its name, if it isn't the only one."""
    times = Counter(str(one.tag) for one in siblings)
    met: Counter[str] = Counter()
    names = []
    for one in siblings:
        tag = str(one.tag)
        met[tag] += 1
        known = (_id_of(one) or "")[:80] or (str(met[tag]) if times[tag] > 1 else "")
        names.append(f"{_local(tag)}[{known}]" if known else _local(tag))
    return names


def _named(root: etree._Element) -> str:
    return placed(_names([root])[0])


def _own_text(element: etree._Element) -> str:
    """What stands in an element itself, not in others inside it."""
    return " ".join(
        text for part in (element.text, *(child.tail for child in element)) if (text := (part or "").strip())
    )


def _whole(element: etree._Element) -> str:
    return etree.tostring(element, method="c14n", exclusive=True, with_tail=False).decode()


def _said(element: etree._Element) -> str:
    return _own_text(element) if not len(element) else etree.tostring(element, encoding="unicode", with_tail=False)


def _text(value: str | bytes | None) -> str | None:
    return None if value is None else value if isinstance(value, str) else value.decode("utf-8", "replace")


def _is_envelope(root: etree._Element) -> bool:
    namespace, _, name = str(root.tag).removeprefix("{").rpartition("}")
    return name == "Envelope" and namespace in _ENVELOPES


def _content(root: etree._Element) -> etree._Element:
    """What is in the body of an envelope; the document itself if it is none."""
    if not _is_envelope(root):
        return root
    body = next((child for child in root if _local(str(child.tag)) == "Body"), None)
    return body[0] if body is not None and len(body) else root


def _local(name: str) -> str:
    return name.rpartition("}")[2]
