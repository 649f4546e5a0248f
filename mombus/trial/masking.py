"""What a saved case doesn't tell: persons, free text, contact data and document numbers, the same one always alike.

What remains is what routes decide by: orders, materials, equipment, lots, quantities, times, states.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from canonical.message import canonical_json
from canonical.objects import id_of
from canonical.references import translated

if TYPE_CHECKING:
    from canonical.message import Message

PERSONS = ("person", "qualification")
WHO = frozenset({"decided_by"})
"""Fields that say who did something, in whatever words a system has for people: no references."""
FREE_TEXT = frozenset({"description", "message_text", "text", "name"})
"""Fields in which people write what they like."""
DECLARED = (
    "persons, free text (description, text, name), mail addresses and telephone numbers, numbers of documents; "
    "pieces of documents without a field of their own are left out"
)
"""What is masked, in words."""

_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(\.[\w-]+)+")
"""Looked for from the beginning of a word alone, and never twice: a text may be one word of a million letters."""
_TELEPHONE = re.compile(r"(?<![\w.,:-])(\+|00)[1-9][\d /().-]{6,18}\d(?![\w:-])")


class Masks:
    """Pseudonyms for one case: whatever is masked twice has the same one. `used` counts them by what they stand for."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}
        self.used: dict[str, int] = {}

    def message(self, message: Message) -> Message:
        """The message with pseudonyms, a person's key included. Its lanes stay: what is written of it has none."""
        number = self._mask("DOC", message.document)
        by = self._mask("PERSON", message.by if message.by != message.source else None) or message.by
        key = self._mask("PERSON", id_of(message.key)) if message.object in PERSONS and message.key else None
        masked = replace(message, document=number, by=by, reason=self._text(message.reason), key=key or message.key)
        if not message.content:
            return masked
        own = "person" if message.object in PERSONS else None
        body = translated(message.body, self._reference, own=own)
        values = self._values(json.loads(canonical_json(body)), "")
        return masked.with_body(message.row.body.model_validate_json(json.dumps(values)))

    def number(self, number: str) -> str:
        """For the number of a target's document. The same text elsewhere stays: a short one may be anything."""
        return self._mask("NUMBER", number) or number

    def told(self, reason: str) -> str:
        """For what a target says in words."""
        return self._mask("text", reason, " ") or reason

    def _reference(self, object: str, id: str, _path: str) -> str:
        return self._mask("PERSON", id) or id if object == "person" else id

    def _values(self, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            if str(value.get("id", "")).endswith("DocumentNumber") and isinstance(value.get("value"), dict):
                inner = value["value"]
                return {**value, "value": {**inner, "value": self._mask("DOC", inner.get("value"))}}
            return {key: self._values(inner, key) for key, inner in value.items() if key != "foreign"}
        if isinstance(value, list):
            return [self._values(inner, name) for inner in value]
        return self._said(value, name) if isinstance(value, str) else value

    def _said(self, value: str, name: str) -> str | None:
        """A text in a field of that name."""
        if name in WHO:
            return self._mask("PERSON", value)
        if name in FREE_TEXT:
            return self._mask("text", value, " ")
        return self._contacts(self._known.get(("DOC", value), value))

    def _text(self, text: str | None) -> str | None:
        return self._contacts(text) if text else text

    def _contacts(self, text: str) -> str:
        text = _MAIL.sub(lambda found: f"{self._mask('contact', found[0])}@example.invalid", text)
        return _TELEPHONE.sub(lambda found: str(self._mask("telephone", found[0])), text)

    def _mask(self, kind: str, value: str | None, between: str = "-") -> str | None:
        if value is None:
            return None
        known = self._known.get((kind, value))
        if known is None:
            self.used[kind] = self.used.get(kind, 0) + 1
            known = self._known[kind, value] = f"{kind}{between}{self.used[kind]}"
        return known
