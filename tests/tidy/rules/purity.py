"""Decisions are pure: placement and crates/route take values and return values; the sdk says what it exports."""

import ast
import re

from tests.tidy.rule import Rule
from tests.tidy.rules.imports import walk_imports
from tests.tidy.rust import blank, count_line
from tests.tidy.tree import Tree, Violation

PURE_PREFIXES = ("src/keisan/placement/", "src/keisan/ledger/rule", "src/keisan/domain/")
EFFECTFUL = (
    "keisan.kit.clock",
    "keisan.kit.http",
    "keisan.kit.observe",
    "asyncio",
    "socket",
    "subprocess",
    "pathlib",
    "random",
)
RUST_EFFECTS = re.compile(
    r"\b(?:std::(?:fs|net|io|process|thread|env)|tokio|hyper|rand|(?:Instant|SystemTime)::now|thread_rng)\b"
)
RUST_ENDLESS = re.compile(r"\b(?:unbounded_channel|unbounded)\s*(?:::<[^>]*>)?\s*\(|std::sync::mpsc::channel\b")
SDK = "src/keisan/sdk/__init__.py"


def check_decisions(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py", *PURE_PREFIXES):
        for node in file.nodes:
            if isinstance(node, ast.AsyncFunctionDef | ast.Await):
                found.append(file.report(node, "a decision waits for nothing"))
        for node, name in walk_imports(file):
            if any(name == effect or name.startswith(f"{effect}.") for effect in EFFECTFUL):
                found.append(file.report(node, f"{name}: a decision has no effects; pass the value in"))
    return found


def check_route(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".rs", "crates/route/src/"):
        code = blank(file.text)
        for match in RUST_EFFECTS.finditer(code):
            found.append(
                file.report(count_line(code, match.start()), f"{match.group()}: route has no I/O and no clock")
            )
    return found


def check_rust_queues(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_rust():
        code = blank(file.text)
        for match in RUST_ENDLESS.finditer(code):
            found.append(file.report(count_line(code, match.start()), "a queue needs its limit"))
    return found


def check_exports(tree: Tree) -> list[Violation]:
    if SDK not in tree.files:
        return []
    file = tree.files[SDK]
    imported = {
        alias.asname or alias.name
        for node in file.tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    exported: set[str] = set()
    for node in file.tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(name, ast.Name) and name.id == "__all__" for name in node.targets
        ):
            exported = set(ast.literal_eval(node.value))
    return [file.report(1, f"__all__ and the imports differ in '{name}'") for name in sorted(imported ^ exported)]


RULES = (
    Rule(
        "pure decisions",
        check_decisions,
        planted=(
            {"src/keisan/placement/x.py": "async def decide(): ...\n"},
            {"src/keisan/placement/x.py": "from keisan.kit.clock import Clock\n"},
            {"src/keisan/domain/x.py": "import subprocess\n"},
        ),
        allowed=({"src/keisan/placement/x.py": "from keisan.domain.node import Node\ndef decide(now): ...\n"},),
    ),
    Rule(
        "pure route",
        check_route,
        planted=(
            {"crates/route/src/x.rs": "use std::fs::File;\n"},
            {"crates/route/src/x.rs": "fn f() { let now = std::time::Instant::now(); }\n"},
        ),
        allowed=(
            {"crates/route/src/x.rs": "//! No std::fs here.\nuse std::time::Duration;\n"},
            {"crates/relay/src/x.rs": "use std::fs::File;\n"},
        ),
    ),
    Rule(
        "Rust queue limit",
        check_rust_queues,
        planted=(
            {"crates/relay/src/x.rs": "let (tx, rx) = mpsc::unbounded_channel();\n"},
            {"crates/relay/src/x.rs": "let (tx, rx) = std::sync::mpsc::channel();\n"},
        ),
        allowed=({"crates/relay/src/x.rs": "let (tx, rx) = mpsc::channel(QUEUE_REQUESTS_MAX);\n"},),
    ),
    Rule(
        "sdk exports",
        check_exports,
        planted=({SDK: "from keisan.sdk.key import Keys\n"}, {SDK: "__all__ = ['Keys']\n"}),
        allowed=({SDK: "from keisan.sdk.key import Keys\n__all__ = ['Keys']\n"}, {SDK: ""}),
    ),
)
