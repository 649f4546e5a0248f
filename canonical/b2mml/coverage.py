"""What of B2MML is read and written, as a page of the documentation; made from the tables themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canonical.b2mml.envelope import VERBS
from canonical.b2mml.nouns import CONTAINERS, FORMS, V4_NOUNS, V7_NOUNS, unwritable
from canonical.b2mml.table import V4, V7, Kind, Row, Table, declared
from canonical.b2mml.tables import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEAD = """# B2MML coverage

Generated from the codec's tables. "The Business To Manufacturing Markup Language (B2MML) is used courtesy of MESA
International."

Whatever a document says that is not modelled (elements, attributes, extensions of other namespaces, spellings such as
`KG` for `KGM`) is kept with the object and written back in its place. Four things are normalised when a document is
written again: comments and processing instructions are left out, blanks between elements inside items may differ,
elements with a declared ID (such as SegmentData `ProductionOrder`) may move to the end of their siblings, and what the
XSD requires is written even if it is empty.
"""


def coverage_markdown() -> str:
    """The page `docs/b2mml-coverage.md`."""
    load()
    parts = [_HEAD, *_nouns(), *_objects(), *_types(V7), *_types(V4)]
    return "\n".join(parts).rstrip() + "\n"


def _nouns() -> Iterator[str]:
    yield "## Nouns and verbs\n"
    yield "| Noun | Items | V7.0.1 read | V7.0.1 write | V4.01 read | Verbs |"
    yield "|---|---|---|---|---|---|"
    written = {form.noun for form in FORMS.values()}
    verbs = " ".join(name for name in VERBS if name != "Notify")
    for noun in sorted(V7_NOUNS | V4_NOUNS):
        said = "Notify (holds Sync)" if noun == "OperationsEvent" else verbs
        marks = " | ".join("yes" if noun in known else "" for known in (V7_NOUNS, written, V4_NOUNS))
        yield f"| {noun} | {', '.join(sorted(CONTAINERS.get(noun, {noun})))} | {marks} | {said} |"
    yield "\nConfirmBOD is read and written for documents as a whole.\n"


def _objects() -> Iterator[str]:
    yield "## Data objects\n"
    yield "| Data object | Noun | Element | Told apart by |"
    yield "|---|---|---|---|"
    for form in FORMS.values():
        header = ", ".join(f"{name} {text}" for name, text in form.header)
        yield f"| `{form.object}` | {form.noun} | {form.element} | {header} |"
    yield f"\nWithout a B2MML form here: {', '.join(f'`{name}`' for name in unwritable())}.\n"


def _types(version: str) -> Iterator[str]:
    yield f"## Types of {version}\n"
    yield "| Type | Modelled | Fields in declared places | Kept as they came |"
    yield "|---|---|---|---|"
    for made in declared(version):
        yield f"| {made.name} | {_names(made, Kind.LEAF, Kind.NESTED, Kind.GROUP)} | {_places(made)} | {_kept(made)} |"
    yield ""


def _names(made: Table, *kinds: Kind) -> str:
    return ", ".join(row.name for row in made.rows if row.kind in kinds)


def _places(made: Table) -> str:
    lifted = (f"{children}[1]/{inner}[{ident}] → {field}" for field, children, inner, ident in made.lifts)
    return ", ".join((*(_place(row) for row in _rows(made, Kind.PLACED, Kind.CONST, Kind.MIRROR)), *lifted))


def _place(row: Row) -> str:
    if row.kind is Kind.PLACED:
        return f"{row.name}[{row.text}] → {row.field}"
    return f'{row.name} = "{row.text}"' if row.kind is Kind.CONST else f"{row.name} = {row.field}"


def _rows(made: Table, *kinds: Kind) -> Iterable[Row]:
    return (row for row in made.rows if row.kind in kinds)


def _kept(made: Table) -> str:
    return _names(made, Kind.KEPT)
