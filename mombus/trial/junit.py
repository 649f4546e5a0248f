"""Results as JUnit XML, as CI servers read it: a suite per file, a case per case, a failure per expectation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from mombus.trial.happened import Ran, Result


def junit_xml(ran: Sequence[Ran]) -> bytes:
    """The document."""
    root = etree.Element("testsuites", _counts([result for one in ran for result in one.results]), name="mombus test")
    for one in ran:
        suite = etree.SubElement(root, "testsuite", _counts(one.results), name=one.file)
        for result in one.results:
            _case(suite, one.file, result)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _counts(results: Sequence[Result]) -> dict[str, str]:
    return {
        "tests": str(len(results)), "failures": str(sum(bool(one.failures) for one in results)),
        "errors": str(sum(one.error is not None for one in results)), "skipped": "0",
        "time": f"{sum(one.took_s for one in results):.3f}",
    }  # fmt: skip


def _case(suite: etree._Element, file: str, result: Result) -> None:
    case = etree.SubElement(
        suite, "testcase", name=_printable(result.name), classname=file, file=file, line=str(result.mark.line),
        time=f"{result.took_s:.3f}",
    )  # fmt: skip
    if result.error is not None:
        etree.SubElement(case, "error", message=_printable(result.error), type="error")
    if result.failures:
        first = f"{result.failures[0].path}: expected {result.failures[0].expected}, got {result.failures[0].got}"
        failure = etree.SubElement(case, "failure", message=_printable(first), type="expectation")
        failure.text = _printable("\n".join(f"{one}\n{one.whole}" for one in result.failures))


def _printable(text: str) -> str:
    """Without what XML can't carry."""
    return "".join(letter if letter in "\n\t" or (letter >= " " and letter not in "\ufffe\uffff") else "?"
                   for letter in text)  # fmt: skip
