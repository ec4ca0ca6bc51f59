"""Types: no Any across a room's border, frozen values in domain, a reason beside each silenced check."""

import ast
import re
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.rules.functions import Function
from tests.tidy.rules.imports import walk_imports
from tests.tidy.tree import SourceFile, Tree, Violation, find_room, format_dotted

# A code in the comment, and the reason behind it (after a hash or a dash) or in a comment on the line above.
SILENCER = re.compile(r"#\s*(?:type:\s*ignore|noqa|pragma:\s*no cover|fmt:\s*(?:off|skip)|nosec)")
REASONED = re.compile(r"#\s*(?:type:\s*ignore\[[\w-]+(?:,\s*[\w-]+)*\]|noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|pragma:\s*no cover|fmt:\s*\w+)\s*(?:#|--|-)\s*\w")  # fmt: skip # one pattern, whole


def _has_any(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    return any(format_dotted(node) in {"Any", "typing.Any"} for node in ast.walk(annotation))


def walk_public(file: SourceFile) -> Iterator[ast.AST]:
    """Yield the public functions of a module, and the public methods and fields of its public classes."""
    for node in file.tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for member in node.body:
                if isinstance(member, Function) and (not member.name.startswith("_") or member.name == "__init__"):
                    yield member
                if isinstance(member, ast.AnnAssign) and not format_dotted(member.target).startswith("_"):
                    yield member


def list_borders(tree: Tree) -> set[str]:
    """Return the paths of modules that another room imports, and of all contracts."""
    borders = {file.path for file in tree.select_modules() if file.stem in {"base", "__init__"}}
    for file in tree.select_modules():
        for _, name in walk_imports(file):
            for module in (name, name.rpartition(".")[0]):
                path = f"src/{module.replace('.', '/')}.py"
                if path in tree.files and find_room(path) != find_room(file.path):
                    borders.add(path)
    return borders


def check_any(tree: Tree) -> list[Violation]:
    found = []
    borders = list_borders(tree)
    for file in (tree.files[path] for path in sorted(borders)):
        for node in walk_public(file):
            annotations: list[ast.expr | None] = []
            if isinstance(node, Function):
                arguments = node.args
                every = [
                    *arguments.posonlyargs,
                    *arguments.args,
                    *arguments.kwonlyargs,
                    arguments.vararg,
                    arguments.kwarg,
                ]
                annotations = [node.returns, *(argument.annotation for argument in every if argument)]
            elif isinstance(node, ast.AnnAssign):
                annotations = [node.annotation]
            if any(_has_any(annotation) for annotation in annotations):
                found.append(file.report(node, "Any crosses the room's border: say what it is, or object"))
    return found


def check_frozen(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py", "src/keisan/domain/"):
        for node in file.nodes:
            if not isinstance(node, ast.ClassDef):
                continue
            for decorator in node.decorator_list:
                target = decorator.func if isinstance(decorator, ast.Call) else decorator
                if format_dotted(target) not in {"dataclass", "dataclasses.dataclass"}:
                    continue
                keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                given = {keyword.arg for keyword in keywords if getattr(keyword.value, "value", False) is True}
                if not {"frozen", "slots"} <= given:
                    found.append(file.report(node, f"{node.name}: domain values are frozen=True, slots=True"))
    return found


def check_silencers(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py"):
        for line, comment in file.comments.items():
            is_explained_above = line - 1 in file.comments and file.lines[line - 2].lstrip().startswith("#")
            if SILENCER.search(comment) and not REASONED.search(comment) and not is_explained_above:
                found.append(file.report(line, "a silenced check names its code and says why: `# noqa: X1  # reason`"))
    return found


def plant(path: str, text: str) -> dict[str, str]:
    return {f"src/keisan/{path}": text}


RULES = (
    Rule(
        "Any at a border",
        check_any,
        planted=(
            plant("kit/base.py", "def read(a: dict[str, Any]) -> int: ...\n"),
            plant("kit/base.py", "def read(*, a: int) -> typing.Any: ...\n"),
            plant("kit/base.py", "class X:\n    def __init__(self, **all: Any) -> None: ...\n"),
            plant("kit/base.py", "class X:\n    a: list[Any]\n"),
            plant("kit/x.py", "def f(a: Any): ...\n") | plant("api/x.py", "from keisan.kit.x import f\n"),
        ),
        allowed=(
            plant("kit/x.py", "def read(a: Any) -> int: ...\n"),
            plant("kit/base.py", "def _read(a: Any) -> int: ...\nclass _X:\n    a: Any\ndef f(a: object): ...\n"),
        ),
    ),
    Rule(
        "frozen values",
        check_frozen,
        planted=(
            plant("domain/x.py", "@dataclass\nclass X: ...\n"),
            plant("domain/x.py", "@dataclass(frozen=True)\nclass X: ...\n"),
        ),
        allowed=(plant("domain/x.py", "@dataclass(frozen=True, slots=True)\nclass X: ...\nclass Y(Exception): ...\n"),),
    ),
    Rule(
        "silenced checks",
        check_silencers,
        planted=(
            plant("kit/x.py", "a = 1  # " + "noqa\n"),
            plant("kit/x.py", "a = 1  # " + "noqa: E501\n"),
            plant("kit/x.py", "a = 1  # type" + ": ignore[arg-type]\n"),
            plant("kit/x.py", "a = 1  # type" + ": ignore # because\n"),
        ),
        allowed=(
            plant("kit/x.py", "a = 1  # type" + ": ignore[arg-type]  # the stub is older than the library\n"),
            plant("kit/x.py", "# The address is the user's choice.\na = 1  # " + "noqa: S104\n"),
            plant("kit/x.py", "a = 1  # " + "noqa: S104 - the address is the user's choice\n"),
        ),
    ),
)
