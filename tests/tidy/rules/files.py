"""Files: length, names, and the docstring each opens with."""

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.tidy.rule import Rule
from tests.tidy.tree import SourceFile, Tree, Violation

LINES_SMELL = 300
LINES_MAX = 500
TEST_LINES_MAX = 800
DOCSTRING_LINES_MAX = 5
KIT_FILES_MAX = 10
ROOM_DOCSTRING_LINES_MIN = 3
BANNED_STEMS = frozenset(
    {"utils", "util", "utilities", "helpers", "helper", "common", "manager", "managers", "misc", "stuff"}
)


def select_code(tree: Tree) -> Iterator[SourceFile]:
    """Yield all that is written by hand to be run."""
    yield from tree.select(".py")
    yield from tree.select(".rs")
    yield from tree.select(".sh")


def is_test(file: SourceFile) -> bool:
    """Tell whether a file belongs to the tests."""
    return file.path.startswith("tests/") or "/tests/" in file.path


def list_smells(tree: Tree) -> list[str]:
    """Return the files past the length at which one looks for the noun to split by."""
    long = [(len(file.lines), file.path) for file in select_code(tree) if not is_test(file)]
    return [f"{path}: {lines} lines" for lines, path in sorted(long, reverse=True) if lines > LINES_SMELL]


def check_length(tree: Tree) -> list[Violation]:
    found = []
    for file in select_code(tree):
        most = TEST_LINES_MAX if is_test(file) else LINES_MAX
        if len(file.lines) > most:
            found.append(file.report(1, f"{len(file.lines)} lines, at most {most}; split it by noun"))
    return found


def check_name(tree: Tree) -> list[Violation]:
    found = []
    for file in select_code(tree):
        parts = [*PurePosixPath(file.path).parts[:-1], file.stem]
        found += [
            file.report(1, f"'{part}' says nothing; name the noun")
            for part in parts
            if part.lower().strip("_") in BANNED_STEMS
        ]
        if file.stem[-2:-1] == "_" and file.stem[-1:].isdigit():
            found.append(file.report(1, "split by noun, never into x_2"))
    return found


def check_module_docstring(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py"):
        text = ast.get_docstring(file.tree)
        if not text:
            if not (file.stem == "__init__" and not file.text.strip()):
                found.append(file.report(1, "no module docstring"))
        elif len(text.splitlines()) > DOCSTRING_LINES_MAX:
            found.append(file.report(1, f"module docstring of {len(text.splitlines())} lines, at most 5"))
    return found


def check_rust_docstring(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".rs"):
        opening = []
        for line in file.lines:
            if not line.startswith("//!"):
                break
            opening.append(line)
        if not 1 <= len(opening) <= DOCSTRING_LINES_MAX:
            found.append(file.report(1, f"opens with {len(opening)} lines of //!, wanted 1 to {DOCSTRING_LINES_MAX}"))
    return found


def check_room_docstring(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select("/__init__.py", "src/keisan/"):
        if file.path.count("/") == 3:
            lines = (ast.get_docstring(file.tree) or "").splitlines()
            if len(lines) < ROOM_DOCSTRING_LINES_MIN or not any(line.startswith("Not here:") for line in lines):
                found.append(file.report(1, "a room says what is here, what is not, and where that is"))
    return found


def check_room_opens(tree: Tree) -> list[Violation]:
    folders = {str(PurePosixPath(file.path).parent): file for file in tree.select_modules()}
    return [
        file.report(1, f"{folder} has no __init__.py")
        for folder, file in folders.items()
        if f"{folder}/__init__.py" not in tree.files and not folder.endswith("/versions")
    ]


def check_kit_size(tree: Tree) -> list[Violation]:
    files = [file for file in tree.select(".py", "src/keisan/kit/") if file.stem != "__init__"]
    return [file.report(1, f"kit holds at most {KIT_FILES_MAX} files") for file in files[KIT_FILES_MAX:]]


ROOM = '"""room: what.\n\nHere: this.\nNot here: that (there).\n"""\n'
RULES = (
    Rule(
        "file length",
        check_length,
        planted=(
            {"src/keisan/kit/x.py": "a = 1\n" * 501},
            {"crates/relay/src/x.rs": "//\n" * 501},
            {"tests/x.py": "a = 1\n" * 801},
        ),
        allowed=({"src/keisan/kit/x.py": "a = 1\n" * 500, "tests/x.py": "a = 1\n" * 800},),
    ),
    Rule(
        "file name",
        check_name,
        planted=(
            {"src/keisan/kit/utils.py": ""},
            {"crates/relay/src/common/x.rs": ""},
            {"src/keisan/api/key_2.py": ""},
        ),
        allowed=({"src/keisan/api/key.py": "", "src/keisan/storage/migrations/versions/0001_start.py": ""},),
    ),
    Rule(
        "module docstring",
        check_module_docstring,
        planted=({"src/keisan/kit/x.py": "a = 1\n"}, {"bench/x.py": '"""' + "a\n" * 6 + '"""\n'}),
        allowed=({"src/keisan/kit/x.py": '"""What it is."""\n'},),
    ),
    Rule(
        "Rust module docstring",
        check_rust_docstring,
        planted=({"crates/relay/src/x.rs": "fn main() {}\n"}, {"crates/relay/src/x.rs": "//! a\n" * 6}),
        allowed=({"crates/relay/src/x.rs": "//! What it is.\n"},),
    ),
    Rule(
        "room docstring",
        check_room_docstring,
        planted=({"src/keisan/kit/__init__.py": '"""kit."""\n'},),
        allowed=({"src/keisan/kit/__init__.py": ROOM},),
    ),
    Rule(
        "room opens",
        check_room_opens,
        planted=({"src/keisan/kit/x.py": ""},),
        allowed=({"src/keisan/kit/__init__.py": ROOM, "src/keisan/kit/x.py": ""},),
    ),
    Rule(
        "kit size",
        check_kit_size,
        planted=({f"src/keisan/kit/x{n}.py": "" for n in range(11)},),
        allowed=({f"src/keisan/kit/x{n}.py": "" for n in range(10)},),
    ),
)
