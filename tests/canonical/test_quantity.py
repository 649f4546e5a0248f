"""Amounts are exact and their units are Rec 20's."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from canonical.quantity import Quantity, rec20, rec20_codes


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15))
def test_an_amount_survives_json_exactly(amount: Decimal) -> None:
    quantity = Quantity(value=amount, unit_of_measure="KGM")
    assert Quantity.model_validate_json(quantity.model_dump_json()) == quantity


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "abc", "", "1e5000", "9" * 4000])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Quantity(value=text, unit_of_measure="KGM")  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [1.5, float("nan"), True])
def test_floats_and_booleans_are_refused(number: float) -> None:
    with pytest.raises(ValidationError, match="write it as text"):
        Quantity(value=number, unit_of_measure="KGM")  # type: ignore[arg-type]


def test_a_float_in_json_is_refused() -> None:
    with pytest.raises(ValidationError, match="write it as text"):
        Quantity.model_validate_json('{"value": 1.5, "unit_of_measure": "KGM"}')


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(ValidationError, match="unit 'furlong' is not a Rec 20 code"):
        Quantity(value=Decimal(1), unit_of_measure="furlong")


@pytest.mark.parametrize("unit", [[], {"code": "KGM"}, 1, None])
def test_what_is_no_unit_is_refused(unit: object) -> None:
    with pytest.raises(ValidationError, match="a unit is text"):
        Quantity(value=Decimal(1), unit_of_measure=unit)  # type: ignore[arg-type]


def test_common_spellings_become_codes() -> None:
    assert rec20("KG") == "KGM"
    assert rec20("PCE") == "H87"
    assert {"KGM", "H87", "LTR", "HUR", "C62", "MLT", "NU"} <= rec20_codes()
