"""Dependencies: each explained in docs/dependencies.md, and none used that is not asked for by name."""

import re
import sys
import tomllib
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.rules.imports import walk_imports
from tests.tidy.tree import Tree, Violation

DEPENDENCIES = "docs/dependencies.md"
# Modules whose package has another name.
PACKAGES = {"_pytest": "pytest", "nats": "nats-py"}
# Modules that come with a dependency and are the way to use it.
COMPANIONS = {
    "starlette": "fastapi",
    "pydantic_core": "pydantic",
    "importlinter": "import-linter",
    "grimp": "import-linter",
    "opentelemetry": "opentelemetry-sdk",
}
# `stage` and `replay` are what the benches share; each is a script, so bench/ itself is on its path.
INNER = frozenset({"keisan", "tests", "stage", "replay"})


def _normalize(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def list_python_dependencies(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield (path, name) of each dependency that is asked for by name."""
    if "pyproject.toml" in tree.files:
        project = tomllib.loads(tree.files["pyproject.toml"].text)
        asked = [
            *project.get("project", {}).get("dependencies", []),
            *(line for lines in project.get("project", {}).get("optional-dependencies", {}).values() for line in lines),
            *project.get("build-system", {}).get("requires", []),
        ]
        for requirement in asked:
            yield "pyproject.toml", _normalize(re.split(r"[\s\[<>=!~;]", requirement)[0])
    for file in tree.select(".in", "requirements/"):
        for line in file.lines:
            if line.strip() and not line.startswith(("#", "-")):
                yield file.path, _normalize(re.split(r"[\s\[<>=!~;#]", line)[0])


def list_rust_dependencies(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield (path, name) of each crate from outside this repository."""
    for file in tree.select("Cargo.toml"):
        manifest = tomllib.loads(file.text)
        tables = [manifest.get("workspace", {}).get("dependencies", {})]
        tables += [manifest.get(f"{kind}dependencies", {}) for kind in ("", "dev-", "build-")]
        for name, wanted in (item for table in tables for item in table.items()):
            if not (isinstance(wanted, dict) and "path" in wanted):
                yield file.path, _normalize(wanted.get("package", name) if isinstance(wanted, dict) else name)


def _list_inner_crates(tree: Tree) -> set[str]:
    manifests = (tomllib.loads(file.text) for file in tree.select("Cargo.toml"))
    return {_normalize(manifest["package"]["name"]) for manifest in manifests if "package" in manifest}


def check_dependencies(tree: Tree) -> list[Violation]:
    text = tree.files[DEPENDENCIES].text if DEPENDENCIES in tree.files else ""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    explained = {_normalize(row[0]) for row in rows if len(row) == 4 and all(row)}
    asked = [*list_python_dependencies(tree), *list_rust_dependencies(tree)]
    inner = _list_inner_crates(tree)
    missing = [
        Violation(path, 1, f"{name} has no full line (name, what for, why this one, licence) in {DEPENDENCIES}")
        for path, name in asked
        if name not in explained | inner
    ]
    gone = sorted(explained - {name for _, name in asked} - {"name"})
    return missing + [
        Violation(DEPENDENCIES, 1, f"{name} is no dependency any more") for name in gone if "---" not in name
    ]


def check_imports_declared(tree: Tree) -> list[Violation]:
    if "pyproject.toml" not in tree.files:
        return []
    asked = list(list_python_dependencies(tree))
    running = {name for path, name in asked if path == "pyproject.toml"}
    every = {name for _, name in asked}
    found = []
    for file in tree.select(".py", "src/", "tests/", "bench/", "make/"):
        declared = running if file.path.startswith("src/") else every
        for node, name in walk_imports(file):
            top = name.partition(".")[0]
            package = COMPANIONS.get(top) or PACKAGES.get(top) or _normalize(top)
            if top not in sys.stdlib_module_names | INNER and package not in declared:
                found.append(file.report(node, f"{top} is used and no requirement asks for it"))
    return found


LINE = "| httpx | HTTP | async and sync alike | BSD-3-Clause |\n"
PROJECT = '[project]\ndependencies = ["httpx>=1"]\n'
USE = {"src/keisan/kit/x.py": "import httpx\n"}
RULES = (
    Rule(
        "dependencies explained",
        check_dependencies,
        planted=(
            {"pyproject.toml": PROJECT},
            {"pyproject.toml": PROJECT, DEPENDENCIES: "| httpx | HTTP | | |\n"},
            {"pyproject.toml": "[project]\n", DEPENDENCIES: LINE},
            {"requirements/x.in": "pytest>=9\n"},
            {"crates/relay/Cargo.toml": '[dependencies]\nhyper = "1"\n'},
            {"Cargo.toml": '[workspace.dependencies]\nhyper = { version = "1" }\n'},
        ),
        allowed=(
            {"pyproject.toml": PROJECT, DEPENDENCIES: LINE},
            {"crates/relay/Cargo.toml": '[dependencies]\nroute = { path = "../route" }\n'},
        ),
    ),
    Rule(
        "imports declared",
        check_imports_declared,
        planted=(
            {"pyproject.toml": "[project]\n", **USE},
            {"pyproject.toml": "[project]\n", "requirements/development.in": "httpx\n", **USE},
        ),
        allowed=(
            {"pyproject.toml": PROJECT, **USE},
            {
                "pyproject.toml": PROJECT,
                "requirements/development.in": "pytest\n",
                "tests/x.py": "import pytest, os, tests.y\n",
            },
        ),
    ),
)
