"""Names of things in Python and Rust: no abbreviations."""

import ast
import re
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.rust import find_declared_names
from tests.tidy.tree import SourceFile, Tree, Violation, format_dotted
from tests.tidy.words import ABBREVIATIONS

# Rust's own words: a trait method, the ends of a channel, a keyword.
RUST_WORDS = frozenset({"fmt", "tx", "rx", "impl", "fn", "mut", "const", "err", "iter", "vec", "ret"})
# Names that other people gave: pytest's fixtures, the kernel's file system of processes, llama.cpp's fields, SQLAlchemy's types.
FOREIGN_NAMES = frozenset({"tmp_path", "tmp_path_factory", "PROC", "n_ctx", "impl", "load_dialect_impl"})
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def split_words(name: str) -> list[str]:
    """Return the words of snake_case or CamelCase, in lower case."""
    return [word.lower() for word in WORD.findall(name)]


def walk_declared(file: SourceFile) -> Iterator[tuple[ast.AST, str]]:
    """Yield every name that a Python file chooses itself: not those it merely uses."""
    for node in file.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node, node.name
        elif isinstance(node, ast.arg):
            yield node, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id
        elif (
            isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and format_dotted(node.value) == "self"
        ):
            yield node, node.attr
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node, node.name
        elif isinstance(node, ast.alias) and node.asname:
            yield node, node.asname


def _report_abbreviations(file: SourceFile, line: ast.AST | int, name: str, allowed: frozenset[str]) -> list[Violation]:
    if name in FOREIGN_NAMES:
        return []
    short = [word for word in split_words(name) if word in ABBREVIATIONS and word not in allowed]
    return [file.report(line, f"'{name}' abbreviates: '{word}'") for word in short]


def check_abbreviations(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py"):
        found += _report_abbreviations(file, 1, file.stem, frozenset())
        for node, name in walk_declared(file):
            found += _report_abbreviations(file, node, name, frozenset())
    return found


def check_rust_abbreviations(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_rust():
        for line, name in find_declared_names(file.text):
            found += _report_abbreviations(file, line, name, RUST_WORDS)
    return found


RULES = (
    Rule(
        "abbreviations",
        check_abbreviations,
        planted=(
            {"src/keisan/kit/x.py": "def read(cfg): ...\n"},
            {"src/keisan/kit/x.py": "node_mgr = 1\n"},
            {"src/keisan/kit/x.py": "class ReqContext: ...\n"},
            {"src/keisan/kit/conn.py": ""},
            {"tests/x.py": "try:\n    pass\nexcept OSError as err:\n    pass\n"},
            {"src/keisan/kit/x.py": "self.tmp = 1\n"},
        ),
        allowed=(
            {"src/keisan/kit/x.py": "def read(url, db, gpu_id, http, sql): return call(cfg=url)\n"},
            {"src/keisan/engines/x.py": "parameters.n_ctx = 1\n", "tests/x.py": "def test_it(tmp_path): ...\n"},
            {"src/keisan/kit/x.py": "context = message = connection = argument = 1\n"},
        ),
    ),
    Rule(
        "Rust abbreviations",
        check_rust_abbreviations,
        planted=(
            {"crates/relay/src/x.rs": "fn read_cfg() {}\n"},
            {"crates/relay/src/x.rs": "fn f() { let mut tmp = 1; }\n"},
            {"crates/relay/src/x.rs": "struct X { req_count: u64 }\n"},
        ),
        allowed=(
            {"crates/relay/src/x.rs": "#[cfg(test)]\nimpl X { fn fmt(&self) { let (tx, rx) = channel(); } }\n"},
            {"crates/relay/src/x.rs": '// let tmp = 1\nfn f() { call("let tmp = 1"); }\n'},
        ),
    ),
)
