"""From nodes to models: every mistake of a table becomes a finding at its own place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from connectors.door import is_token_hash
from mombus.config.address import Fault, address_fault
from mombus.config.document import Items, Node, Scalar, Table
from mombus.config.finding import Findings, Mark, did_you_mean
from mombus.config.needs import EVERY_SECRET, STAND_IN, Needs, keeps_secret, model_in
from mombus.config.substitution import Substitution, SubstitutionError, refers, refers_to_secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)
Place = tuple[str | int, ...]

_NUMBER = re.compile(r"[-+]?[0-9][0-9.eE_]*")
_EXPRESSIONS = frozenset({"when", "map"})
_EXPECTED = {
    "bool_parsing": "true or false", "bool_type": "true or false", "int_parsing": "a whole number",
    "int_type": "a whole number", "float_parsing": "a number", "float_type": "a number", "string_type": "text",
    "tuple_type": "a list", "list_type": "a list", "dict_type": "keys and values", "model_type": "keys and values",
    "model_attributes_type": "keys and values", "set_type": "a list", "frozen_set_type": "a list",
}  # fmt: skip


class Validation:
    """Makes models from tables and notes what is wrong with them."""

    def __init__(self, findings: Findings, substitution: Substitution, needs: Needs = EVERY_SECRET) -> None:
        self._findings, self._substitution, self._needs = findings, substitution, needs

    def model(
        self, model: type[Model], table: Table, path: str, known: Mapping[str, Any] | None = None, *,
        link_local: bool = False,
    ) -> Model | None:  # fmt: skip
        """The model that the table describes, or None after noting all that is wrong with it.

        `known` are values that don't stand in the table, such as the key that it stands under. With `link_local` its
        addresses may be link-local ones.
        """
        noted: list[Mark] = []
        elsewhere = self._elsewhere(model, table, path)
        data = {**self._values(table, path, noted, elsewhere, link_local=link_local), **(known or {})}
        noted += self._misspelt(model, table, path)
        errors = self._errors(model, data)
        if any(error["type"] == "string_type" for error in errors):
            for error in errors:
                _take_as_text(error, table, data)
            errors = self._errors(model, data)
        self._note(errors, model, table, path, noted)
        if errors or noted:
            return None
        made = model.model_validate(data)
        self._check_secrets(made, table, path)
        return made

    def _errors(self, model: type[BaseModel], data: Any) -> list[ErrorDetails]:
        try:
            model.model_validate(data)
        except ValidationError as invalid:
            return invalid.errors(include_url=False)
        return []

    def _elsewhere(self, model: type[BaseModel], table: Table, path: str) -> frozenset[Mark]:
        """Where secrets stand that other processes need and this one doesn't."""
        return frozenset(
            node.mark
            for place, node in _scalars(table)
            if refers(node.text) and not self._needs.needed(path, place) and keeps_secret(model, place)
        )

    def _values(self, node: Node, path: str, noted: list[Mark], elsewhere: frozenset[Mark], *, link_local: bool) -> Any:
        """The node as Python values, references replaced; `noted` gets the places where that failed."""
        if isinstance(node, Table):
            return {
                key: self._values(inner, f"{path}.{key}", noted, elsewhere, link_local=link_local)
                for key, inner in node.nodes.items()
            }
        if isinstance(node, Items):
            return [
                self._values(inner, f"{path}[{index}]", noted, elsewhere, link_local=link_local)
                for index, inner in enumerate(node.nodes)
            ]
        if path.rpartition(".")[2] in _EXPRESSIONS or not isinstance(node.value, str):
            return node.value
        if node.mark in elsewhere:
            return STAND_IN
        fault: Fault | SubstitutionError | None
        try:
            text = self._substitution(node.text)
            fault = address_fault(text, link_local=link_local)
        except SubstitutionError as error:
            text, fault = node.text, error
        if fault is not None:
            self._findings.error(node.mark, path, fault.message, fault.hint)
            noted.append(node.mark)
        return text

    def _misspelt(self, model: type[BaseModel], table: Table, path: str) -> Iterator[Mark]:
        """Texts where true, false or a number is meant: `no` and `010` are texts in YAML 1.2."""
        for name, info in model.model_fields.items():
            node, place = table.nodes.get(info.alias or name), f"{path}.{name}"
            inner = model_in(info.annotation)
            if isinstance(node, Table) and inner:
                yield from self._misspelt(inner, node, place)
            elif isinstance(node, Scalar) and isinstance(node.value, str) and not refers(node.text):
                expected = _expected(info.annotation)
                if expected:
                    hint = "write true or false"
                    if expected == "a number":
                        plain = _NUMBER.fullmatch(node.text)
                        hint = "write it without quotes or zeros" if plain else (info.description or "").rstrip(".")
                    self._findings.error(node.mark, place, f"expected {expected}, not the text '{node.text}'", hint)
                    yield node.mark

    def _note(
        self, errors: list[ErrorDetails], model: type[BaseModel], table: Table, path: str, noted: list[Mark]
    ) -> None:
        wrong: dict[Mark, tuple[Found, list[str]]] = {}
        for error in errors:
            place = error["loc"]
            found = locate(table, place)
            if error["type"] == "missing":
                self._findings.error(found.mark, path, f"'{_dotted('', place)}' is missing", _describes(model, place))
            elif error["type"] == "extra_forbidden":
                owner, key = _model_at(model, place[:-1]), str(place[-1])
                names = [info.alias or name for name, info in owner.model_fields.items()] if owner else []
                hint = did_you_mean(key, names)
                self._findings.error(found.key, _dotted(path, place[:-1]), f"there is no key '{key}'", hint)
            elif found.mark not in noted and not _follows(error, found):
                wrong.setdefault(found.mark, (found, []))[1].append(_message(error))
        for mark, (found, messages) in wrong.items():
            message = ", or ".join(dict.fromkeys(messages))
            self._findings.error(mark, _dotted(path, found.path), message, _describes(model, found.path))

    def _check_secrets(self, made: BaseModel, table: Table, path: str) -> None:
        """Secrets only where they are kept secret, and nothing secret in plain sight."""
        for place, node in _scalars(table):
            value = _at(made, place)
            if isinstance(value, SecretStr) and not value:
                self._findings.error(
                    node.mark, _dotted(path, place), "an empty secret protects nothing",
                    "give it a value, or leave the key out",
                )  # fmt: skip
            elif isinstance(value, SecretStr) and not refers(node.text) and not is_token_hash(node.text):
                named = [part for part in place if isinstance(part, str)]
                self._findings.warning(
                    node.mark, _dotted(path, place), "a secret stands here for all to read",
                    f"write ${{secret:{named[-1].upper()}}} and keep it outside of this file",
                )  # fmt: skip
            elif refers_to_secret(node.text) and not isinstance(value, SecretStr):
                self._findings.error(
                    node.mark, _dotted(path, place), "a secret would be shown wherever this value is",
                    "use a field that is kept secret, such as token or password",
                )  # fmt: skip


class Found:
    """Where a place of a model stands in the text, as far as it can be followed."""

    __slots__ = ("key", "mark", "node", "path")

    def __init__(self, node: Node, key: Mark, path: Place) -> None:
        self.node, self.mark, self.key, self.path = node, node.mark, key, path


def locate(node: Node, place: Place) -> Found:
    """Follow `place` into the nodes; names that no key stands for (parts of unions) are passed over."""
    key, followed = node.mark, []
    for part in place:
        if isinstance(node, Table) and part in node.nodes:
            key, node = node.keys[str(part)], node.nodes[str(part)]
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.nodes):
            node = node.nodes[part]
            key = node.mark
        else:
            continue
        followed.append(part)
    return Found(node, key, tuple(followed))


def _follows(error: ErrorDetails, found: Found) -> bool:
    """A list is called too short when its elements are wrong: those have findings of their own."""
    shortest = error.get("ctx", {}).get("min_length", 0)
    return error["type"] == "too_short" and isinstance(found.node, Items) and len(found.node.nodes) >= shortest


def _take_as_text(error: ErrorDetails, table: Table, data: Any) -> None:
    """A plain `1.10` is a number until text is asked for; then it is what stands there."""
    found = locate(table, error["loc"])
    if error["type"] != "string_type" or not isinstance(found.node, Scalar) or found.node.value is None:
        return
    for part in found.path[:-1]:
        data = data[part]
    if found.path and isinstance(data, dict | list):
        data[found.path[-1]] = found.node.text  # type: ignore[index]


def _message(error: ErrorDetails) -> str:
    expected = _EXPECTED.get(error["type"])
    if expected:
        return "a value is missing" if error["input"] is None else f"expected {expected}"
    if error["type"] == "too_short":
        return f"expected at least {error['ctx']['min_length']}"
    if error["type"] == "string_pattern_mismatch":
        return f"'{error['input']}' isn't written as expected ({error['ctx']['pattern']})"
    message = re.sub(r"^(Value error|Assertion failed), ", "", error["msg"])
    return message.removeprefix("Input ").removesuffix(".")[:300]


def _describes(model: type[BaseModel], place: Place) -> str:
    """What the field is for."""
    owner, name = _model_at(model, place[:-1]), str(place[-1]) if place else ""
    info = owner.model_fields.get(name) if owner else None
    return (info.description or "").rstrip(".") if info else ""


def _model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    at: type[BaseModel] | None = model
    for part in place:
        info = at.model_fields.get(str(part)) if at else None
        if info is not None:
            at = model_in(info.annotation)
    return at


def _expected(annotation: Any) -> str | None:
    """The word for an annotation that takes no text, None for one that does."""
    kinds = {kind for kind in (get_args(annotation) or (annotation,)) if kind is not type(None)}
    if kinds == {bool}:
        return "true or false"
    return "a number" if kinds and kinds <= {int, float} else None


def _scalars(node: Node, place: Place = ()) -> Iterator[tuple[Place, Scalar]]:
    if isinstance(node, Scalar):
        yield place, node
        return
    inner = node.nodes.items() if isinstance(node, Table) else enumerate(node.nodes)
    for part, child in inner:
        yield from _scalars(child, (*place, part))


def _at(value: Any, place: Place) -> Any:
    """The model's value at a place, None where it keeps it under another name."""
    for part in place:
        if isinstance(part, str) and isinstance(value, BaseModel):
            value = getattr(value, part, None)
        elif isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _dotted(path: str, place: Place) -> str:
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path
