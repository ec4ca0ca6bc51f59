"""Docstrings: on all of sdk, on every contract, on every public function that raises."""

import ast
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.rules.functions import Function
from tests.tidy.tree import SourceFile, Tree, Violation

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def walk_public(body: list[ast.stmt]) -> Iterator[Documented]:
    """Yield the public classes, functions and methods of a body."""
    for node in body:
        if isinstance(node, Documented) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from walk_public(node.body)


def _is_bare(function: Documented) -> bool:
    """Tell whether a method of a contract has no body: its class's docstring speaks for it."""
    last = function.body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is Ellipsis


def check_sdk(tree: Tree) -> list[Violation]:
    return [
        file.report(node, f"{node.name}: everything public in sdk has a docstring")
        for file in tree.select(".py", "src/keisan/sdk/")
        for node in walk_public(file.tree.body)
        if not ast.get_docstring(node)
    ]


def check_contracts(tree: Tree) -> list[Violation]:
    return [
        file.report(node, f"{node.name}: a contract is documented")
        for file in [*tree.select("/base.py", "src/keisan/"), *tree.select(".py", "src/keisan/storage/base_")]
        for node in walk_public(file.tree.body)
        if not ast.get_docstring(node) and not (isinstance(node, Function) and _is_bare(node))
    ]


def _raises(function: Function) -> Iterator[ast.Raise]:
    """Yield what a function itself raises: not what its inner functions do, nor a bare re-raise."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield node
        waiting.extend(ast.iter_child_nodes(node))


def check_raising(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for node in walk_public(file.tree.body):
            if isinstance(node, Function) and any(_raises(node)):
                found += _report_raising(file, node)
    return found


def _report_raising(file: SourceFile, function: Function) -> list[Violation]:
    text = ast.get_docstring(function)
    if not text:
        return [file.report(function, f"{function.name} raises and has no docstring")]
    names = [_name_raised(node) for node in _raises(function)]
    if "rais" in text.lower() or any(name and name in text for name in names):
        return []
    return [file.report(function, f"{function.name} raises and its docstring does not say so")]


def _name_raised(node: ast.Raise) -> str:
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return raised.id if isinstance(raised, ast.Name) else raised.attr if isinstance(raised, ast.Attribute) else ""


def plant(path: str, text: str) -> dict[str, str]:
    return {f"src/keisan/{path}": text}


RULES = (
    Rule(
        "sdk docstrings",
        check_sdk,
        planted=(
            plant("sdk/x.py", "def f(): ...\n"),
            plant("sdk/x.py", 'class X:\n    """X."""\n    def f(self): ...\n'),
        ),
        allowed=(plant("sdk/x.py", 'def f():\n    """Return."""\ndef _g(): ...\n'),),
    ),
    Rule(
        "contract docstrings",
        check_contracts,
        planted=(
            plant("engines/base.py", "class Engine(Protocol): ...\n"),
            plant("engines/base.py", "def f():\n    return 1\n"),
        ),
        allowed=(
            plant("engines/base.py", 'class Engine(Protocol):\n    """Serves."""\n    def f(self) -> int: ...\n'),
        ),
    ),
    Rule(
        "raising docstrings",
        check_raising,
        planted=(
            plant("kit/x.py", "def f():\n    raise ValueError\n"),
            plant(
                "kit/x.py",
                'class X:\n    def f(self):\n        """Return."""\n        if a:\n            raise NotFound("x")\n',
            ),
        ),
        allowed=(
            plant("kit/x.py", 'def f():\n    """Raise ValueError when odd."""\n    raise ValueError\n'),
            plant(
                "kit/x.py",
                "def _f():\n    raise ValueError\ndef g():\n    def h():\n        raise ValueError\n    return h\n",
            ),
        ),
    ),
)
