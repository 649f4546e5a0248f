"""Each deed that a page offers is done in the browser by some test; a new form without such a test is found here."""

from __future__ import annotations

import re
from pathlib import Path

from proven import actions, deed, deeds, marked

from mombus.web.pages import rendering

TEMPLATES = Path(rendering.__file__).parents[1] / "templates"
FILLED_IN = {"x", "/people/x"}
"""Addresses that a macro is given: they are looked at where it is used, on the pages (`visiting.py`)."""


def test_each_deed_of_the_pages_is_proven_in_the_browser() -> None:
    proven = marked(Path(__file__).parent)
    assert deeds() - proven == set(), "forms without a test that is marked with `pytest.mark.proves`"
    assert proven - deeds() == set(), "no page takes this any more"


def test_each_form_of_the_templates_leads_somewhere_and_is_known_as_ours() -> None:
    forms = 0
    for file in sorted(TEMPLATES.glob("*.html")):
        template = file.read_text()
        nowhere = [one for one in actions(template) if one not in FILLED_IN and "nothing is" in deed(one, {})]
        assert nowhere == [], file.name
        for form in re.findall(r'<form\b[^>]*method="post".*?</form>', template, re.DOTALL):
            assert "csrf_field()" in form, f"{file.name}: {form[:100]}"
            forms += 1
    assert forms > 10
