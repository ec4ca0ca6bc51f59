"""The project's own papers: errors, benches, decisions, the import contract."""

import ast
import re
import tomllib

from tests.tidy.rule import Rule
from tests.tidy.tree import Tree, Violation, find_room
from tests.tidy.words import split_list

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
    rooms = {find_room(file.path) for file in tree.select_modules()} | {"relay", "route", "e2e", "fleet"}
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


TREE = '"""KeisanError > NotFound"""\nclass KeisanError(Exception):\n    code: ClassVar[str] = "a"\n'
CONTRACT = '[[tool.importlinter.contracts]]\nid = "gateway-alone"\nforbidden_modules = ["keisan.storage"]\n'
RULES = (
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
