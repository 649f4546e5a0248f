"""A plant's folder that runs as it is: an ERP that posts orders, an MES that gets them, one route, one route test."""

from __future__ import annotations

import json
import re

from mombus.config.schemas import routes_schema
from mombus.scaffold.writing import filled
from mombus.trial.schema import case_schema

_PATHS = {
    "routes": "routes.yaml", "equipment": "equipment.csv", "shifts": "shifts.yaml", "tests": "routes.test.yaml",
    "gitignore": ".gitignore", "readme": "README.md", "mes": "mes.py",
}  # fmt: skip
MOST = 32


def plant_files(site: str, enterprise: str, timezone: str) -> dict[str, str]:
    """The files, by path. `site` is a name as `routes.yaml` takes it."""
    made = filled("plant", _PATHS, site=site, enterprise=enterprise, timezone=timezone, place=site.upper())
    return {
        **made,
        ".schemas/routes.json": _json(routes_schema()),
        ".schemas/tests.json": _json(case_schema(bodies=None)),
    }


def site_name(text: str) -> str:
    """A site's name made of any text, such as a folder's; `site` if nothing is left of it."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (re.sub(r"^[^a-z]+", "", plain) or "site")[:MOST]


def _json(schema: object) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
