"""A small plant for route tests, and playing cases of it in this process."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

from mombus.hub.trial.playing import playing
from mombus.trial.reading import TestFile, read

if TYPE_CHECKING:
    from pathlib import Path

    from mombus.trial.happened import Result

ROUTES = """
version: 1
plant: {enterprise: acme, site: lyon, timezone: Europe/Paris}
systems:
  erp: {connector: rest, url: "http://127.0.0.1:9", token: "${secret:NOBODY_HAS_IT}", reads: [
          {name: orders, url: /orders, items: orders, says: [{object: production_order, occurred: at, body: '{"id": no,
           "segment_requirement": [{"id": "1"}]}'}]}]}
  mes:
    connector: rest
    url: http://127.0.0.1:9
    closed: ["Sun 02:00-04:00"]
    writes:
      - {object: production_order, method: PUT, url: "/orders/{body.id}", effect: idempotent,
         query: {site: "{site}"}, headers: {x-step: "{body.segment_requirement[0].id}"},
         body: '{"no": body.id, "text": body.description}'}
  ledger:
    connector: rest
    url: http://127.0.0.1:9
    writes:
      - {object: production_order, url: /entries, body: '{"id": body.id}', document: number, find: {url: /entries}}
  wms: {connector: rest, url: "http://127.0.0.1:9", reads: [{name: orders, url: /orders, says: [
          {object: production_order, occurred: at, body: "$"}]}]}
objects:
  production_order: {owner: erp, process_owner: planning@acme.example}
routes:
  - {object: production_order, to: mes, map: '$merge([body, {"description": "for " & source}])'}
  - {object: production_order, to: ledger, effect: posted, when: "body.priority = '1'"}
"""
ORDER = 'production_order: {id: PO-1, priority: "1", segment_requirement: [{id: "10"}]}'


def case_file(folder: Path, *cases: str, routes: str = ROUTES) -> Path:
    """A file of route tests, each case the YAML under its `- `, beside its configuration."""
    (folder / "routes.yaml").write_text(routes, encoding="utf-8")
    file = folder / "routes.test.yaml"
    text = "".join(f"  - {indent(dedent(case).strip(), '    ').strip()}\n" for case in cases)
    file.write_text(f"tests:\n{text}", encoding="utf-8")
    return file


def findings(folder: Path, *cases: str) -> list[str]:
    """What is wrong with cases, without the folder."""
    file = case_file(folder, *cases)
    return [str(finding).removeprefix(f"{folder}/") for finding in read(file).findings if "warning" not in str(finding)]


async def played(folder: Path, *cases: str, routes: str = ROUTES) -> list[Result]:
    """The results of cases."""
    file: TestFile = read(case_file(folder, *cases, routes=routes))
    assert file.config is not None, "\n".join(map(str, file.findings))
    async with playing() as play:
        return list((await play.file(file, file.tests)).results)


async def failures(folder: Path, *cases: str) -> list[str]:
    """The failures of cases without the file's folder; they all must have been played to their end."""
    results = await played(folder, *cases)
    assert [result.error for result in results] == [None] * len(results)
    return [str(failure).removeprefix(f"{folder}/") for result in results for failure in result.failures]
