"""Tests mirror the product path by path, both ways, and let no time pass for its own sake."""

import ast
from pathlib import PurePosixPath

from tests.tidy.rule import Rule
from tests.tidy.rules.effects import walk_calls
from tests.tidy.tree import Tree, Violation

UNTESTED = "tests/tidy/untested.txt"
# Folders of tests that follow a question and not a path.
FREE_FOLDERS = ("contracts/", "simulation/", "e2e/", "golden/", "tidy/", "native/", "docs/", "make/", "bench/")
SLEEPS = frozenset({"time.sleep", "asyncio.sleep", "anyio.sleep"})
DEADLINE_PATH = "tests/deadline.py"


def list_untested(tree: Tree) -> list[str]:
    """Return the modules that may be without a test of their own; the list may only shrink."""
    text = tree.files[UNTESTED].text if UNTESTED in tree.files else ""
    return [line.partition("#")[0].strip() for line in text.splitlines() if line.partition("#")[0].strip()]


def _name_test(path: str) -> str:
    """Return where the test of a module stands: src/keisan/api/key.py -> tests/api/test_key.py."""
    inner = PurePosixPath(path).relative_to("src/keisan")
    return str(PurePosixPath("tests") / inner.parent / f"test_{inner.name}")


def _is_mirrored(path: str, tree: Tree) -> bool:
    """Tell whether a module has its test; a noun of storage is tried on both databases by the contract suite."""
    test = _name_test(path)
    return test in tree.files or test.replace("tests/", "tests/contracts/", 1) in tree.files


def _has_code(source: ast.Module) -> bool:
    """Tell whether a module does anything that a test could try: a function, or a class with a body of its own."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_declared(node) for node in ast.walk(source)
    )


def _is_declared(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    last = function.body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant)


def check_mirror(tree: Tree) -> list[Violation]:
    listed = set(list_untested(tree))
    found = []
    for file in tree.select_modules():
        is_tested = _is_mirrored(file.path, tree)
        if is_tested and file.path in listed:
            found.append(file.report(1, f"has its test now; strike it from {UNTESTED}"))
        if is_tested or file.path in listed or file.stem in {"__init__", "__main__"} or "/migrations/" in file.path:
            continue
        if _has_code(file.tree):
            found.append(file.report(1, f"has no {_name_test(file.path)}"))
    gone = sorted(path for path in listed if path not in tree.files)
    return found + [Violation(UNTESTED, 1, f"{path} is gone; strike it") for path in gone]


def check_mirrored(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py", "tests/"):
        inner = file.path.removeprefix("tests/")
        if not file.stem.startswith("test_") or "/" not in inner or inner.startswith(FREE_FOLDERS):
            continue
        source = f"src/keisan/{PurePosixPath(inner).parent}/{file.stem.removeprefix('test_')}.py"
        if source not in tree.files:
            found.append(file.report(1, f"mirrors {source}, which does not exist"))
    return found


def check_sleeps(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py", "tests/"):
        if file.path == DEADLINE_PATH:
            continue
        polling = {
            id(inner) for node in file.nodes if isinstance(node, ast.While | ast.For) for inner in ast.walk(node)
        }
        for call, name in walk_calls(file):
            is_yield = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
            if name in SLEEPS and not is_yield and id(call) not in polling:
                found.append(file.report(call, f"no sleeps: poll with {DEADLINE_PATH}"))
    return found


CODE = "def f():\n    return 1\n"
RULES = (
    Rule(
        "tests mirror modules",
        check_mirror,
        planted=(
            {"src/keisan/kit/x.py": CODE},
            {"src/keisan/kit/x.py": CODE, "tests/kit/test_x.py": "", UNTESTED: "src/keisan/kit/x.py\n"},
            {UNTESTED: "src/keisan/kit/gone.py\n"},
        ),
        allowed=(
            {"src/keisan/kit/x.py": CODE, "tests/kit/test_x.py": ""},
            {"src/keisan/storage/key.py": CODE, "tests/contracts/storage/test_key.py": ""},
            {"src/keisan/kit/x.py": CODE, UNTESTED: "src/keisan/kit/x.py # proved by contracts\n"},
            {"src/keisan/kit/x.py": "A = 1\nclass X(Protocol):\n    def f(self): ...\n"},
        ),
    ),
    Rule(
        "modules behind tests",
        check_mirrored,
        planted=({"tests/kit/test_x.py": ""},),
        allowed=({"tests/kit/test_x.py": "", "src/keisan/kit/x.py": "", "tests/e2e/test_y.py": ""},),
    ),
    Rule(
        "no sleeps",
        check_sleeps,
        planted=(
            {"tests/kit/test_x.py": "time.sleep(1)\n"},
            {"tests/kit/test_x.py": "async def f():\n    await asyncio.sleep(0.1)\n"},
        ),
        allowed=(
            {DEADLINE_PATH: "time.sleep(1)\n"},
            {"tests/kit/test_x.py": "while not is_met():\n    time.sleep(0.01)\nasyncio.sleep(0)\n"},
        ),
    ),
)
