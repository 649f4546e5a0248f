"""Sizes as people write them: `256 MiB`, `20 GiB`, `1.5 GB`. A number alone says no size but 0."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
          "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}  # fmt: skip
_SIZE = re.compile(r"(?P<number>\d{1,15}(?:\.\d{1,3})?)\s*(?P<unit>[KMGT]?i?B)?", re.IGNORECASE)
PATTERN = r"^(0|\d+(\.\d+)?\s*[KMGTkmgt]?[Ii]?[Bb])$"


class Size(int):
    """Bytes. Printed as people write them."""

    @classmethod
    def of(cls, value: Any) -> Size:
        """From text, or from 0. Raises ValueError."""
        found = _SIZE.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
        if found is None:
            raise ValueError(f"'{value}' is no size; write 256 MiB, 20 GiB or 0")
        if found["unit"] is None and float(found["number"]):
            raise ValueError(f"'{value}' says no unit; write {value} MiB or {value} GiB")
        return cls(round(float(found["number"]) * _UNITS[(found["unit"] or "B").upper()]))

    def __str__(self) -> str:
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            whole = _UNITS[unit.upper()]
            if self >= whole:
                return f"{self / whole:.1f}".removesuffix(".0") + f" {unit}"
        return f"{int(self)} B"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.of, serialization=core_schema.to_string_ser_schema()
        )  # fmt: skip

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "pattern": PATTERN}, {"const": 0}],
                "examples": ["256 MiB", "20 GiB", "0"]}  # fmt: skip
