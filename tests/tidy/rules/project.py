"""The project's own papers: dependencies, errors, benches, decisions, the import contract."""

import ast
import re
import tomllib
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.tree import Tree, Violation, find_room
from tests.tidy.words import split_list

DEPENDENCIES = "docs/dependencies.md"
ERRORS = "src/keisan/domain/errors.py"
ERROR_MAPPING = "src/keisan/api/errors.py"
BENCH_WORDS = ("Question:", "Method:", "Reference:", "Wrong if:")
# The rooms that people's faces must not know, and those the gateway must serve without.
BETWEEN_SDK_AND_WIRE = split_list(
    """api gateway agent control federation placement ledger telemetry streams
    storage engines devices executors catalog weights"""
)
GATEWAY_WITHOUT = frozenset({"storage", "control", "federation", "placement", "ledger"})
PLACEMENT_WITHOUT = frozenset({"storage", "engines", "devices", "executors"})


def _normalize(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def list_python_dependencies(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield (path, name) of each dependency that is asked for by name."""
    if "pyproject.toml" in tree.files:
        project = tomllib.loads(tree.files["pyproject.toml"].text)
        asked = [
            *project.get("project", {}).get("dependencies", []),
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


def check_errors(tree: Tree) -> list[Violation]:
    if ERRORS not in tree.files:
        return []
    file = tree.files[ERRORS]
    drawn = ast.get_docstring(file.tree) or ""
    classes = [node for node in file.tree.body if isinstance(node, ast.ClassDef)]
    found = [
        file.report(node, f"{node.name} is not in the tree that the docstring draws")
        for node in classes
        if not re.search(rf"\b{node.name}\b", drawn)
    ]
    codes: dict[str, str] = {}
    for node in classes:
        own = _find_code(node)
        if own is None:
            found.append(file.report(node, f"{node.name} has no code of its own"))
        elif own in codes:
            found.append(file.report(node, f"{node.name} and {codes[own]} share the code '{own}'"))
        else:
            codes[own] = node.name
    return found


def _find_code(node: ast.ClassDef) -> str | None:
    for member in node.body:
        target = member.targets[0] if isinstance(member, ast.Assign) else getattr(member, "target", None)
        value = getattr(member, "value", None)
        if isinstance(target, ast.Name) and target.id == "code" and isinstance(value, ast.Constant):
            return str(value.value)
    return None


def check_error_mapping(tree: Tree) -> list[Violation]:
    if ERRORS not in tree.files or ERROR_MAPPING not in tree.files:
        return []
    named = set(re.findall(r"\w+", tree.files[ERROR_MAPPING].text))
    file = tree.files[ERRORS]
    classes = {node.name: node for node in file.tree.body if isinstance(node, ast.ClassDef)}
    found = []
    for name, node in classes.items():
        line = [name]
        while (
            line[-1] in classes and classes[line[-1]].bases and isinstance(base := classes[line[-1]].bases[0], ast.Name)
        ):
            line.append(base.id)
        # KeisanError itself stands for "a fault of ours"; leaning on it alone is no mapping.
        if not (set(line) - {"KeisanError", "Exception"} or {name}) & named:
            found.append(file.report(node, f"{name} has no status in {ERROR_MAPPING}"))
    return found


def check_benches(tree: Tree) -> list[Violation]:
    found = []
    rooms = {find_room(file.path) for file in tree.select_modules()} | {"relay", "route", "e2e"}
    for file in tree.select(".py", "bench/"):
        if file.path.count("/") > 1 or file.stem == "__init__":
            continue
        if file.stem.partition("_")[0] not in rooms or "_" not in file.stem:
            found.append(file.report(1, "a bench is named <room>_<question>.py"))
        lacking = [word for word in BENCH_WORDS if word not in (ast.get_docstring(file.tree) or "")]
        if lacking:
            found.append(file.report(1, f"a bench's docstring states {', '.join(lacking)}"))
    return found


def check_decisions(tree: Tree) -> list[Violation]:
    found = []
    numbers: dict[str, str] = {}
    for file in tree.select(".md", "docs/decisions/"):
        name = file.path.rpartition("/")[2]
        match = re.fullmatch(r"(\d{4})-[a-z0-9-]+\.md", name)
        if not match:
            found.append(file.report(1, "a decision is named NNNN-what-it-says.md"))
        elif match[1] in numbers:
            found.append(file.report(1, f"{numbers[match[1]]} has this number too"))
        else:
            numbers[match[1]] = name
    return found


def check_contract_lists(tree: Tree) -> list[Violation]:
    """Report rooms and adapters that exist and that a contract in pyproject.toml should name but does not."""
    if "pyproject.toml" not in tree.files:
        return []
    file = tree.files["pyproject.toml"]
    contracts = tomllib.loads(file.text).get("tool", {}).get("importlinter", {}).get("contracts", [])
    by_id = {contract["id"]: contract for contract in contracts}
    rooms = {find_room(module.path) for module in tree.select_modules()} - {""}
    wanted = {
        ("people-speak-http", "source_modules"): rooms & {"cli", "portal", "sdk"},
        ("people-speak-http", "forbidden_modules"): rooms & BETWEEN_SDK_AND_WIRE,
        ("gateway-alone", "forbidden_modules"): rooms & GATEWAY_WITHOUT,
        ("placement-values", "forbidden_modules"): rooms & PLACEMENT_WITHOUT,
    }
    return [
        file.report(1, f"the import contract '{name}' does not name keisan.{room} in {key}")
        for (name, key), needed in wanted.items()
        for room in sorted(needed)
        if f"keisan.{room}" not in by_id.get(name, {}).get(key, [])
    ]


LINE = "| httpx | HTTP | async and sync alike | BSD-3-Clause |\n"
PROJECT = '[project]\ndependencies = ["httpx>=1"]\n'
TREE = '"""KeisanError > NotFound"""\nclass KeisanError(Exception):\n    code: ClassVar[str] = "a"\n'
CONTRACT = '[[tool.importlinter.contracts]]\nid = "gateway-alone"\nforbidden_modules = ["keisan.storage"]\n'
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
        "error tree",
        check_errors,
        planted=(
            {ERRORS: TREE + "class Hidden(KeisanError):\n    code = 'b'\n"},
            {ERRORS: TREE + "class NotFound(KeisanError): ...\n"},
            {ERRORS: TREE + "class NotFound(KeisanError):\n    code = 'a'\n"},
        ),
        allowed=({ERRORS: TREE + "class NotFound(KeisanError):\n    code = 'b'\n"},),
    ),
    Rule(
        "error mapping",
        check_error_mapping,
        planted=({ERRORS: TREE + "class NotFound(KeisanError): ...\n", ERROR_MAPPING: "{KeisanError: 500}\n"},),
        allowed=(
            {
                ERRORS: TREE + "class Gone(KeisanError): ...\nclass NotFound(Gone): ...\n",
                ERROR_MAPPING: "{KeisanError: 500, Gone: 404}\n",
            },
        ),
    ),
    Rule(
        "benches",
        check_benches,
        planted=(
            {"bench/fast.py": '"""Question: Method: Reference: Wrong if:"""\n'},
            {"bench/relay_cpu.py": '"""How fast?"""\n'},
        ),
        allowed=({"bench/relay_cpu.py": '"""Question: a Method: b Reference: c Wrong if: d"""\n'},),
    ),
    Rule(
        "decisions",
        check_decisions,
        planted=(
            {"docs/decisions/first.md": ""},
            {"docs/decisions/0001-a.md": "", "docs/decisions/0001-b.md": ""},
        ),
        allowed=({"docs/decisions/0001-a.md": "", "docs/decisions/0002-b.md": ""},),
    ),
    Rule(
        "contract lists",
        check_contract_lists,
        planted=({"pyproject.toml": CONTRACT, "src/keisan/control/x.py": ""},),
        allowed=({"pyproject.toml": CONTRACT, "src/keisan/domain/x.py": ""},),
    ),
)
