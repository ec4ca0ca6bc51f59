"""Imports that import-linter cannot see or say: foreign libraries by room, compiled modules, imports in functions."""

import ast
import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.tidy.rule import Rule
from tests.tidy.tree import SourceFile, Tree, Violation, find_room

# Rooms of adapters: one contract (base.py) each; the files beside it are named by daemon only.
ADAPTER_ROOMS = frozenset({"storage", "engines", "devices", "executors", "weights"})
# Files of those rooms that every implementation needs and none is.
CONTRACT_STEMS = frozenset({"base", "base_archive", "base_history", "__init__"})
SHARED_FILES = {
    "engines.socket_file": "a stale socket is removed the same way for every engine (R9)",
    "devices.node": "the host itself, whatever its devices are",
}
SQL_LIBRARIES = frozenset({"sqlalchemy", "alembic", "aiosqlite", "asyncpg", "sqlite3"})
NATIVE = "keisan._native"
NATIVE_USERS = (
    "src/keisan/gateway/",
    "tests/gateway/",
    "tests/simulation/",
    "tests/golden/",
    "tests/native/",
    "bench/",
)


def walk_imports(file: SourceFile) -> Iterator[tuple[ast.AST, str]]:
    """Yield (node, module or module.name) of every import, inside functions too, and of import_module("...")."""
    for node in file.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if function in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                yield node, node.args[0].value


def check_relative(tree: Tree) -> list[Violation]:
    return [
        file.report(node, "import by the full name, so that a search finds it")
        for file in tree.select(".py")
        for node in file.nodes
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def check_domain(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py", "src/keisan/domain/"):
        for node, name in walk_imports(file):
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and not name.startswith("keisan.domain"):
                found.append(file.report(node, f"domain imports the standard library only, not {name}"))
    return found


def check_pydantic(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        is_settings = find_room(file.path) == "daemon" and "settings" in file.stem
        if find_room(file.path) == "wire" or is_settings:
            continue
        for node, name in walk_imports(file):
            if name.partition(".")[0] == "pydantic":
                found.append(file.report(node, "pydantic stands in wire and in Settings only"))
    return found


def check_sql(tree: Tree) -> list[Violation]:
    return [
        file.report(node, f"all SQL is in storage; {name} does not belong here")
        for file in tree.select_modules()
        if find_room(file.path) != "storage"
        for node, name in walk_imports(file)
        if name.partition(".")[0] in SQL_LIBRARIES
    ]


def check_native(tree: Tree) -> list[Violation]:
    return [
        file.report(node, "keisan._native is imported by gateway and simulations only")
        for file in tree.select(".py")
        if not file.path.startswith(NATIVE_USERS)
        for node, name in walk_imports(file)
        if name == NATIVE or name.startswith(f"{NATIVE}.")
    ]


def check_adapters(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        room = find_room(file.path)
        for node, name in walk_imports(file):
            parts = name.split(".")
            if parts[0] != "keisan" or len(parts) < 3 or parts[1] not in ADAPTER_ROOMS or room in {"daemon", parts[1]}:
                continue
            is_module = f"src/keisan/{parts[1]}/{parts[2]}.py" in tree.files or len(parts) > 3
            if is_module and parts[2] not in CONTRACT_STEMS and f"{parts[1]}.{parts[2]}" not in SHARED_FILES:
                found.append(file.report(node, f"keisan.{parts[1]}.{parts[2]} is an adapter: only daemon names it"))
    return found


def check_implementation_beside_contract(tree: Tree) -> list[Violation]:
    return [
        file.report(1, f"src/keisan/{room}/base.py, the contract, is missing")
        for file in tree.select("/__init__.py", "src/keisan/")
        if (room := find_room(file.path)) in ADAPTER_ROOMS and file.path.count("/") == 3
        if len(list(tree.select(".py", f"src/keisan/{room}/"))) > 1 and f"src/keisan/{room}/base.py" not in tree.files
    ]


def check_inner_imports(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        functions = (node for node in file.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        inner = (node for function in functions for node in ast.walk(function))
        for node in inner:
            if isinstance(node, ast.Import | ast.ImportFrom) and not {node.lineno, node.lineno - 1} & set(
                file.comments
            ):
                found.append(file.report(node, "an import inside a function says why, in a comment beside it"))
    return found


def check_same_room_name(tree: Tree) -> list[Violation]:
    """A file of api, wire or storage is named as domain names the noun: `key`, not `keys`."""
    nouns = {PurePosixPath(file.path).stem for file in tree.select(".py", "src/keisan/domain/")}
    return [
        file.report(1, f"the noun is '{file.stem[:-1]}' in domain; the same noun has the same file name in every room")
        for file in tree.select_modules()
        if file.stem not in nouns and file.stem.endswith("s") and file.stem[:-1] in nouns
    ]


def plant(path: str, text: str) -> dict[str, str]:
    return {f"src/keisan/{path}": text}


RULES = (
    Rule(
        "absolute imports",
        check_relative,
        planted=(plant("kit/x.py", "from . import y\n"),),
        allowed=(plant("kit/x.py", "from keisan.kit import y\n"),),
    ),
    Rule(
        "domain imports",
        check_domain,
        planted=(
            plant("domain/x.py", "import httpx\n"),
            plant("domain/x.py", "def f():\n    from keisan.kit.clock import Clock\n"),
        ),
        allowed=(plant("domain/x.py", "import enum\nfrom keisan.domain.ids import KeyId\n"),),
    ),
    Rule(
        "pydantic",
        check_pydantic,
        planted=(plant("api/x.py", "from pydantic import BaseModel\n"), plant("cli/settings.py", "import pydantic\n")),
        allowed=(plant("wire/x.py", "import pydantic\n"), plant("daemon/settings.py", "import pydantic\n")),
    ),
    Rule(
        "SQL",
        check_sql,
        planted=(plant("api/x.py", "from sqlalchemy import select\n"), plant("ledger/x.py", "import sqlite3\n")),
        allowed=(plant("storage/x.py", "import sqlalchemy\n"),),
    ),
    Rule(
        "native module",
        check_native,
        planted=(
            plant("api/x.py", "from keisan._native import Relay\n"),
            plant("api/x.py", "from keisan import _native\n"),
            plant("api/x.py", 'import importlib\nimportlib.import_module("keisan._native")\n'),
            {"tests/api/test_x.py": "import keisan._native\n"},
        ),
        allowed=(plant("gateway/x.py", "from keisan._native import Relay\n"),),
    ),
    Rule(
        "adapters",
        check_adapters,
        planted=(
            plant("agent/x.py", "from keisan.engines.llama_cpp import LlamaCpp\n"),
            {**plant("agent/x.py", "from keisan.engines import llama_cpp\n"), **plant("engines/llama_cpp.py", "")},
            plant("api/x.py", "import keisan.storage.sqlite\n") | plant("storage/sqlite.py", ""),
        ),
        allowed=(
            plant("daemon/x.py", "from keisan.engines.llama_cpp import LlamaCpp\n"),
            plant("engines/x.py", "from keisan.engines.llama_cpp import LlamaCpp\n"),
            plant("agent/x.py", "from keisan.engines.base import Engine\n"),
        ),
    ),
    Rule(
        "contract file",
        check_implementation_beside_contract,
        planted=(plant("engines/__init__.py", "") | plant("engines/llama_cpp.py", ""),),
        allowed=(plant("engines/__init__.py", "") | plant("engines/base.py", "") | plant("engines/vllm.py", ""),),
    ),
    Rule(
        "imports in functions",
        check_inner_imports,
        planted=(plant("kit/x.py", "def f():\n    import httpx\n"),),
        allowed=(
            plant(
                "kit/x.py",
                "import httpx\ndef f():\n    # Half a second at start, needed by one command.\n    import rich\n",
            ),
        ),
    ),
    Rule(
        "same noun, same file name",
        check_same_room_name,
        planted=(plant("domain/key.py", "") | plant("api/keys.py", ""),),
        allowed=(plant("domain/key.py", "") | plant("api/key.py", "") | plant("api/limits.py", ""),),
    ),
)
