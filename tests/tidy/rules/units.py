"""Units last: times and sizes name theirs, each unit has one spelling, qualifiers stand behind."""

import ast
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.rules.names import split_words
from tests.tidy.tree import SourceFile, Tree, Violation, format_dotted
from tests.tidy.words import BINARY_UNITS, SECOND_SPELLINGS, SIZE_WORDS, TIME_UNITS, TIME_WORDS

NUMBERS = frozenset({"int", "float"})
QUALIFIERS = frozenset({"max", "min", "default"})
# OpenAI's own names, which keisan answers to; and the share of a limit that a gateway has where none is named.
FOREIGN_NAMES = frozenset({"max_tokens", "max_completion_tokens", "default_share_ppm"})


def _is_number(annotation: ast.expr) -> bool:
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return bool(names & NUMBERS) and names <= NUMBERS | {"None", "Annotated", "Field"}


def walk_numbers(file: SourceFile) -> Iterator[tuple[ast.AST, str]]:
    """Yield the names of numbers that cross a function: fields, parameters, constants of a module."""
    for node in file.nodes:
        if isinstance(node, ast.AnnAssign) and _is_number(node.annotation):
            yield node, format_dotted(node.target).rpartition(".")[2]
        elif isinstance(node, ast.arg) and node.annotation and _is_number(node.annotation):
            yield node, node.arg
    for node in file.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.BinOp):
            value = getattr(node.value, "value", 0)
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield from ((node, target.id) for target in node.targets if isinstance(target, ast.Name))


def check_unit(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for node, name in walk_numbers(file):
            words = set(split_words(name))
            if words & TIME_WORDS and not words & TIME_UNITS:
                found.append(file.report(node, f"'{name}' is a time without a unit: _s, _ms, _us, _days"))
            if words & SIZE_WORDS and not _has_size_unit(words):
                found.append(file.report(node, f"'{name}' is a size without a unit: _bytes, _tokens, ..."))
    return found


def _has_size_unit(words: set[str]) -> bool:
    return bool(words & BINARY_UNITS) or any(word.endswith("s") for word in words - SIZE_WORDS)


def check_spelling(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for node, name in walk_numbers(file):
            words = split_words(name)
            last = words[-2] if len(words) > 1 and words[-1] in QUALIFIERS else words[-1:] and words[-1]
            if last in SECOND_SPELLINGS and len(words) > 1:
                found.append(file.report(node, f"'{name}': the unit is spelled _{SECOND_SPELLINGS[last]}"))
    return found


def check_qualifier(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for node, name in walk_numbers(file):
            words = split_words(name)
            if len(words) > 1 and words[0] in QUALIFIERS and name not in FOREIGN_NAMES:
                found.append(file.report(node, f"'{name}': qualifiers stand last, as in queue_requests_max"))
    return found


RULES = (
    Rule(
        "unit named",
        check_unit,
        planted=(
            {"src/keisan/kit/x.py": "class X:\n    timeout: float = 1\n"},
            {"src/keisan/kit/x.py": "LEASE_AGE_MAX = 5\n"},
            {"src/keisan/kit/x.py": "def f(memory: int | None): ...\n"},
        ),
        allowed=(
            {
                "src/keisan/kit/x.py": "class X:\n    timeout_s: float = 1\n    memory_bytes: int = 2\nPAGE_AGE_S_MAX = 3\n"
            },
            {"src/keisan/kit/x.py": "def f(timeout: timedelta, page_size_items: int): ...\n"},
        ),
    ),
    Rule(
        "unit spelling",
        check_spelling,
        planted=(
            {"src/keisan/kit/x.py": "class X:\n    lease_seconds: int\n"},
            {"src/keisan/kit/x.py": "CACHE_MB_MAX = 5\n"},
        ),
        allowed=({"src/keisan/kit/x.py": "class X:\n    lease_s: int\n    milliseconds: int\n    cache_mib: int\n"},),
    ),
    Rule(
        "qualifier last",
        check_qualifier,
        planted=({"src/keisan/kit/x.py": "MAX_REQUESTS = 5\n"},),
        allowed=({"src/keisan/kit/x.py": "REQUESTS_MAX = 5\ndef f(max_tokens: int): ...\n"},),
    ),
)
