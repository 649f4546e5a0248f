"""Any canonical object, made from its model: what hypothesis draws for the codec's properties."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, ValidationError

from canonical.b2mml.leaves import DATA_TYPES
from canonical.b2mml.nouns import FORMS
from canonical.element import Element
from canonical.isa95.operations import CONSUMED
from canonical.objects import KeyMissingError, data_object

WORDS = st.text("ABCxyz019 -_.:/'\"&<>äß中", min_size=1, max_size=12).map(str.strip).filter(bool)
SENTENCES = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\n\t"),
    max_size=20,
)
OFFSETS = st.integers(-23 * 4, 23 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
TIMES = st.datetimes(datetime(1950, 1, 1), datetime(2999, 1, 1), timezones=OFFSETS)
AMOUNTS = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=3)
UNITS = st.sampled_from(("KGM", "H87", "LTR", "HUR"))
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: WORDS, bool: st.booleans(), int: st.integers(1, 10**6), Decimal: AMOUNTS, datetime: TIMES,
    AwareDatetime: TIMES, date: st.dates(date(1950, 1, 1), date(2999, 1, 1)),
    timedelta: st.timedeltas(timedelta(days=-400), timedelta(days=400)),
}  # fmt: skip


@cache
def elements(model: type[Element], depth: int = 2) -> st.SearchStrategy[Element]:
    """Objects of a model; its rules hold (what they refuse is not drawn)."""

    def make(given: dict[str, Any]) -> Element | None:
        try:
            return model.model_validate({name: value for name, value in given.items() if value is not None})
        except ValidationError:
            return None

    fields = {
        name: _field(name, info.annotation, bool(info.metadata), info.is_required(), depth)
        for name, info in model.model_fields.items()
        if name != "foreign"
    }
    return st.fixed_dictionaries(fields).map(make).filter(lambda made: made is not None)  # type: ignore[return-value]


def _field(name: str, annotation: Any, annotated: bool, required: bool, depth: int) -> st.SearchStrategy[Any]:
    if get_origin(annotation) in (Union, UnionType):
        inner = next(part for part in get_args(annotation) if part is not type(None))
        return st.none() | _field(name, inner, annotated, True, depth)
    if get_origin(annotation) is Annotated:
        return _field(name, get_args(annotation)[0], True, required, depth)
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) is tuple:
        if depth == 0 and not required:
            return st.just(())
        return st.lists(elements(get_args(annotation)[0], max(depth - 1, 0)), min_size=int(required), max_size=2).map(
            tuple
        )
    nested = isinstance(annotation, type) and issubclass(annotation, Element)
    return elements(annotation, depth) if nested else _leaf(name, annotation, annotated)


def _leaf(name: str, annotation: Any, annotated: bool) -> st.SearchStrategy[Any]:
    if name == "unit_of_measure" and annotated:
        return UNITS
    if name == "data_type":
        return st.sampled_from(sorted(DATA_TYPES)) | SENTENCES
    if annotation is str and not annotated:
        return SENTENCES
    return BY_TYPE[annotation]


def bodies(object_: str) -> st.SearchStrategy[Element]:
    """Bodies of a data object that is written alone, its kind's own words right."""
    row, header = data_object(object_), dict(FORMS[object_].header)

    def fit(body: Element) -> Element | None:
        update: dict[str, Any] = {}
        if FORMS[object_].element in ("OperationsRequest", "OperationsResponse"):
            said = getattr(body, "operations_type", None)
            update["operations_type"] = None if said is None else header["OperationsType"]
        if object_ == "maintenance_request" and body.request_state:  # type: ignore[attr-defined]
            update["request_state"] = "Forecast"
        if object_ == "maintenance_order" and body.request_state == "Forecast":  # type: ignore[attr-defined]
            update["request_state"] = "Released"
        fitted = _events(object_, _lines(object_, body.model_copy(update=update)))
        try:
            row.key_of(fitted), row.lanes_of(fitted)
        except KeyMissingError:
            return None
        return fitted

    return elements(row.body).map(fit).filter(lambda made: made is not None)  # type: ignore[return-value]


def _events(object_: str, body: Element) -> Element:
    """An event's own words say what it is."""
    kinds: dict[str, dict[str, Any]] = {
        "alarm": {"operations_event_type": "Alarm", "category": "limit"},
        "deviation": {"operations_event_type": "Event", "operations_event_level": "Level 3", "category": None,
                      "operations_type": "Quality"},
        "maintenance_event": {"operations_event_type": "Event", "operations_event_level": None, "category": None,
                              "operations_type": "Maintenance"},
    }  # fmt: skip
    return body.model_copy(update=kinds.get(object_, {}))


def _lines(object_: str, body: Any) -> Any:
    """A response without lines of its own; a line with nothing but its context."""
    if object_ == "production_response":
        return _unlined(body)
    if object_ in ("material_consumption", "labour"):
        update = {"description": None, "segment_state": None, "physical_asset_actual": (), "personnel_actual": (),
                  "segment_response_child": (), "material_actual": ()}  # fmt: skip
        if object_ == "labour":
            update["personnel_actual"] = body.personnel_actual[:1]
        else:
            update["material_actual"] = (body.material_actual[0].model_copy(update={"material_use": "Consumed"}),)
        return body.model_copy(update=update)
    return body


def _unlined(body: Any) -> Any:
    return body.model_copy(update={
        "material_actual": tuple(
            actual.model_copy(update={"material_use": "Produced"}) if actual.material_use in CONSUMED else actual
            for actual in body.material_actual
        ),
        "personnel_actual": (),
        "segment_response_child": tuple(_unlined(child) for child in body.segment_response_child),
    })  # fmt: skip


NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
