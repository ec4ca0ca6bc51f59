"""One word per thing: docs/glossary.md's banned synonyms never name a class, table, field, file or path segment."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from tests.tidy.rule import Rule
from tests.tidy.rules.names import split_words
from tests.tidy.tree import SourceFile, Tree, Violation, find_room, format_dotted

GLOSSARY = "docs/glossary.md"
ALLOWED_TITLE = "## Allowed other meanings"
ROUTES = frozenset({"get", "post", "put", "patch", "delete", "api_route", "websocket"})
# Nouns that have an id of their own, so that `worker_id` names a worker.
SUFFIXES = frozenset({"id", "ids", "name", "key"})


def read_banned(text: str) -> dict[str, str]:
    """Return banned word -> the word to use, from the first table."""
    banned = {}
    for cells in _read_rows(text.partition(ALLOWED_TITLE)[0]):
        if len(cells) >= 3:
            banned.update({word.strip(): cells[0] for word in cells[2].split(",") if word.strip()})
    banned.pop("not", None)
    return banned


def read_allowed(text: str) -> dict[str, tuple[str, ...]]:
    """Return word -> the paths where it may mean something else, from the second table; a word may have several rows."""
    allowed: dict[str, tuple[str, ...]] = {}
    for cells in _read_rows(text.partition(ALLOWED_TITLE)[2]):
        allowed[cells[0]] = allowed.get(cells[0], ()) + tuple(cells[1].split())
    return allowed


def _read_rows(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def walk_nouns(file: SourceFile) -> Iterator[tuple[ast.AST | int, str]]:
    """Yield (place, name) of what a file names: itself, classes, fields, tables, segments of paths."""
    yield 1, file.stem
    for node in file.nodes:
        if isinstance(node, ast.ClassDef):
            yield node, node.name
            for member in node.body:
                if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    yield member, member.target.id
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            first = node.args[0].value
            function = format_dotted(node.func).rpartition(".")[2]
            if isinstance(first, str) and function == "Table":
                yield node, first
            elif isinstance(first, str) and function in ROUTES and first.startswith("/"):
                for segment in first.split("/"):
                    yield node, segment.strip("{}").replace("-", "_")


def find_banned(name: str, banned: Mapping[str, str]) -> str | None:
    """Return the banned word that a name is made of, if it is: `Worker`, `workers`, `worker_id`."""
    words = split_words(name)
    while len(words) > 1 and words[-1] in SUFFIXES:
        words.pop()
    if len(words) != 1:
        return None
    word = words[0]
    return next((candidate for candidate in (word, word.removesuffix("s")) if candidate in banned), None)


def check_synonyms(tree: Tree) -> list[Violation]:
    if GLOSSARY not in tree.files:
        return []
    text = tree.files[GLOSSARY].text
    banned, allowed = read_banned(text), read_allowed(text)
    found = []
    for file in tree.select_modules():
        for place, name in walk_nouns(file):
            word = find_banned(name, banned)
            if word and not file.path.startswith(allowed.get(word, ("\0",))):
                found.append(file.report(place, f"'{name}': the word here is {banned[word]} ({GLOSSARY})"))
    return found


def check_classes_without_exception(tree: Tree) -> list[Violation]:
    """Report classes named exactly by a banned word, wherever they are: a class is always a noun of ours."""
    if GLOSSARY not in tree.files:
        return []
    banned = read_banned(tree.files[GLOSSARY].text)
    nouns = {cells[0] for cells in _read_rows(tree.files[GLOSSARY].text.partition(ALLOWED_TITLE)[0])}
    return [
        file.report(node, f"'{node.name}': the word here is {banned[node.name.lower()]} ({GLOSSARY})")
        for file in tree.select_modules()
        for node in file.nodes
        if isinstance(node, ast.ClassDef) and node.name.lower() in banned.keys() - nouns
    ]


def check_rooms_of_nouns(tree: Tree) -> list[Violation]:
    """Report a noun of domain that the glossary does not know."""
    if GLOSSARY not in tree.files:
        return []
    text = tree.files[GLOSSARY].text
    words = set(re.findall(r"[a-z]+", text.lower()))
    return [
        file.report(1, f"'{file.stem}' is a noun of domain and not in {GLOSSARY}")
        for file in tree.select_modules()
        if find_room(file.path) == "domain" and PurePosixPath(file.path).stem != "__init__"
        if not {*split_words(file.stem), file.stem.removesuffix("s")} & words and file.stem not in {"ids", "errors"}
    ]


TEXT = f"| word | meaning | not |\n| node | a host | worker |\n\n{ALLOWED_TITLE}\n\n| worker | src/keisan/kit/ | a thread |\n"


def plant(path: str, text: str) -> dict[str, str]:
    return {GLOSSARY: TEXT, f"src/keisan/{path}": text}


RULES = (
    Rule(
        "synonyms",
        check_synonyms,
        planted=(
            plant("api/x.py", "class Worker: ...\n"),
            plant("api/x.py", "class X:\n    worker_id: int\n"),
            plant("storage/x.py", "Table('workers', metadata)\n"),
            plant("api/x.py", "@router.get('/api/v1/workers/{worker_id}')\ndef f(): ...\n"),
            plant("api/worker.py", ""),
        ),
        allowed=(
            plant("api/x.py", "class NodeWorkerPool:\n    node_id: int\nworker = 1\n"),
            plant("kit/x.py", "class X:\n    worker: int\n"),
        ),
    ),
    Rule(
        "synonyms as classes",
        check_classes_without_exception,
        planted=(plant("kit/x.py", "class Worker: ...\n"),),
        allowed=(plant("kit/x.py", "class Node: ...\n"),),
    ),
    Rule(
        "nouns of domain",
        check_rooms_of_nouns,
        planted=(plant("domain/widget.py", ""),),
        allowed=(plant("domain/node.py", ""),),
    ),
)
