"""Objects to elements, as the tables say; foreign pieces go back where they stood."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from lxml import etree

from canonical.b2mml.leaves import DATA_TYPES, Leaf, shape
from canonical.b2mml.restore import Restorer
from canonical.b2mml.table import NAMESPACES, V7, Kind, Row, Table, named
from canonical.b2mml.tables import load
from canonical.element import default_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from canonical.element import Element

    Step = Callable[[etree._Element, Element], None]

NAMESPACE = f"{{{NAMESPACES[V7]}}}"


class Writer:
    """Writes one V7 type. Made by `writer`; groups have the model around them and the field that `$` names."""

    def __init__(self, table: Table, model: type[Element], dollar: str = "") -> None:
        self.table = table
        self.model = model
        self.dollar = dollar
        self.space = "" if table.unqualified else NAMESPACE
        self.steps: list[Step] = []
        self.says: list[Callable[[Element], bool]] = []
        self.implied = dict(table.implied)
        self.restorer = Restorer(self)

    def compile(self, implied: dict[str, Any] | None = None) -> None:
        """Fill the steps; apart from the constructor because types nest themselves."""
        self.implied |= implied or {}
        run: list[tuple[str, str, Callable[[Any], str]]] = []
        for row in self.table.rows:
            if _is_simple(row):
                path = self.path(row)
                run.append((path, self.space + row.name, self.leaf(path).text))
                self.says.append(lambda body, name=path: getattr(body, name) is not None)  # type: ignore[misc]
            elif row.kind is not Kind.KEPT:
                self._take(run)
                self.steps.append(_STEPS[row.kind](self, row))
        self._take(run)

    def _take(self, run: list[tuple[str, str, Callable[[Any], str]]]) -> None:
        """Make one step of neighbouring simple rows."""
        if run:
            self.steps.append(_texts(tuple(run)))
            run.clear()

    def path(self, row: Row) -> str:
        """The field a row carries."""
        return self.dollar if row.field == "$" else row.field

    def leaf(self, path: str) -> Leaf:
        """How the field at `path` stands in an element."""
        head, dot, rest = path.partition(".")
        model = self.model
        if dot:
            model, head = shape(model, head)[1] or model, rest
        leaf = shape(model, head)[0]
        if leaf is None:
            raise KeyError(f"{self.table.name}: {path} is no leaf")
        return leaf

    def write(self, parent: etree._Element, tag: str, body: Element) -> etree._Element:
        """Append `body` to `parent`. Raises ValueError for text that XML can't hold."""
        element = etree.SubElement(parent, tag)
        self.fill(element, body)
        return element

    def fill(self, element: etree._Element, body: Element) -> None:
        """Write `body` into an element of its own."""
        if self.table.lifts:
            body = _lowered(self, body)
        for step in self.steps:
            step(element, body)
        if self.table.model is not None and body.foreign:
            self.restorer.restore(element, body)


@cache
def writer(name: str, model: type[Element] | None = None, dollar: str = "") -> Writer:
    """The writer of a V7 type; call `compiled` on it before use."""
    load()
    table = named(V7, name)
    around = model or table.model
    if around is None:
        raise KeyError(f"{table.name} is a group: it needs the model around it")
    return Writer(table, around, dollar)


@cache
def compiled(made: Writer) -> Writer:
    """The writer, its steps filled."""
    made.compile()
    return made


def getter(path: str) -> Callable[[Element], Any]:
    """The value at `a` or `a.b`, None when `a` is None."""
    head, dot, rest = path.partition(".")
    if not dot:
        return lambda body: getattr(body, head)
    return lambda body: getattr(getattr(body, head), rest, None)


def _is_simple(row: Row) -> bool:
    """A leaf that is written only when its field has a value, as its text."""
    return row.kind is Kind.LEAF and not row.required and "." not in row.field and row.name != "DataType"


def _texts(run: tuple[tuple[str, str, Callable[[Any], str]], ...]) -> Step:
    element_of = etree.SubElement

    def step(element: etree._Element, body: Element) -> None:
        for path, tag, text in run:
            value = getattr(body, path)
            if value is not None:
                element_of(element, tag).text = text(value)

    return step


def _leaf(made: Writer, row: Row) -> Step:
    path, tag, required = made.path(row), made.space + row.name, row.required
    leaf, get = made.leaf(path), getter(path)
    text, is_open = leaf.text, row.name == "DataType"
    made.says.append(lambda body: get(body) is not None)

    def step(element: etree._Element, body: Element) -> None:
        value = get(body)
        if value is None:
            if required:
                etree.SubElement(element, tag)
        elif is_open and value not in DATA_TYPES:
            etree.SubElement(element, tag, OtherValue=value).text = "Other"
        else:
            etree.SubElement(element, tag).text = text(value)

    return step


def _nested(made: Writer, row: Row) -> Step:
    inner, tag, path = writer(row.table), made.space + row.name, row.field
    many = shape(made.model, path)[2]
    ready: list[Writer] = []

    def step(element: etree._Element, body: Element) -> None:
        value = getattr(body, path)
        if not value:
            return
        if not ready:
            ready.append(compiled(inner))
        write = ready[0].write
        for item in value if many else (value,):
            write(element, tag, item)

    return step


def _group(made: Writer, row: Row) -> Step:
    inner = Writer(named(V7, row.table), made.model, made.path(row))
    inner.compile(made.implied)
    tag, says = made.space + row.name, inner.says
    made.says.append(lambda body: any(said(body) for said in says))

    def step(element: etree._Element, body: Element) -> None:
        if row.required or any(said(body) for said in says):
            inner.fill(unqualified(element, tag) if made.table.unqualified else etree.SubElement(element, tag), body)

    return step


def unqualified(parent: etree._Element, name: str) -> etree._Element:
    """A child in no namespace; built from text because lxml doesn't undeclare a default namespace by itself."""
    child = etree.fromstring(f'<{name} xmlns=""/>')
    parent.append(child)
    return child


def _const(made: Writer, row: Row) -> Step:
    tag, text = made.space + row.name, row.text

    def step(element: etree._Element, body: Element) -> None:
        etree.SubElement(element, tag).text = text

    return step


def _mirror(made: Writer, row: Row) -> Step:
    tag, get, leaf = made.space + row.name, getter(row.field), made.leaf(row.field)

    def step(element: etree._Element, body: Element) -> None:
        value = get(body)
        if value is not None or row.required:
            etree.SubElement(element, tag).text = "" if value is None else leaf.text(value)

    return step


def _placed(made: Writer, row: Row) -> Step:
    get, leaf, default = getter(row.field), made.leaf(row.field), _default(made, row)
    implied = made.implied.get(row.field)
    names = ("ID", "Value", "ValueString")
    tag, ident, value_tag, string = made.space + row.name, *(NAMESPACE + name for name in names)

    def given(body: Element) -> Any:
        value = get(body)
        usual = implied(lambda name: getattr(body, name)) if implied else default
        return None if value == usual else value

    made.says.append(lambda body: given(body) is not None)

    def step(element: etree._Element, body: Element) -> None:
        value = given(body)
        if value is not None:
            item = etree.SubElement(element, tag)
            etree.SubElement(item, ident).text = row.text
            etree.SubElement(etree.SubElement(item, value_tag), string).text = leaf.text(value)

    return step


def _default(made: Writer, row: Row) -> Any:
    if "." in row.field:
        return None
    info = made.model.model_fields[row.field]
    return default_of(info)


def _lowered(made: Writer, body: Element) -> Element:
    """The body with its lifted fields put where the XML carries them: into the first child."""
    for path, children, inner, ident in made.table.lifts:
        value = getattr(body, path)
        if value is None:
            continue
        text = made.leaf(path).text(value)
        first, *rest = getattr(body, children)
        items = tuple(item for item in getattr(first, inner) if item.id != ident or _says(item, text))
        if not any(item.id == ident for item in items):
            model = shape(first.__class__, inner)[1]
            items += (model.model_validate({"id": ident, "value": {"value": text}}),)  # type: ignore[union-attr]
        lowered = first.model_copy(update={inner: items})
        body = body.model_copy(update={children: (lowered, *rest)})
    return body


def _says(item: Any, text: str) -> bool:
    return item.value is not None and item.value.value == text


_STEPS: dict[Kind, Callable[[Writer, Row], Step]] = {
    Kind.LEAF: _leaf, Kind.NESTED: _nested, Kind.GROUP: _group, Kind.CONST: _const, Kind.MIRROR: _mirror,
    Kind.PLACED: _placed,
}  # fmt: skip
