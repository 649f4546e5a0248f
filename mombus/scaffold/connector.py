"""A package with a connector of its own: it is found by its entry point, and its tests join the contract suite."""

from __future__ import annotations

import re

from mombus.scaffold.writing import filled

KIND = re.compile(r"[a-z][a-z0-9]*([._-][a-z0-9]+)*")


def connector_files(kind: str) -> dict[str, str]:
    """The files, by path. `kind` is what routes.yaml will say, such as `acme.crm`; it matches KIND."""
    words = re.split(r"[._-]", kind)
    module = "_".join(words)
    paths = {
        "pyproject": "pyproject.toml", "readme": "README.md", "gitignore": ".gitignore",
        "init": f"{module}/__init__.py", "connector": f"{module}/connector.py", "mapping": f"{module}/mapping.py",
        "tests": f"tests/test_{module}.py", "system": "tests/system.py",
    }  # fmt: skip
    return filled(
        "connector", paths, kind=kind, module=module, dist=folder_of(kind), title=" ".join(words),
        name="".join(word.capitalize() for word in words),
    )  # fmt: skip


def folder_of(kind: str) -> str:
    """What the package and its folder are called."""
    return "mombus-" + re.sub(r"[._]", "-", kind)
