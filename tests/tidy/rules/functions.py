"""Functions of Python: length, parameters, verbs first, predicates."""

import ast
from collections.abc import Iterator

from tests.tidy.rule import Rule
from tests.tidy.tree import SourceFile, Tree, Violation, format_dotted
from tests.tidy.words import PREDICATE_PREFIXES, VERBS

LINES_MAX = 60
PARAMETERS_MAX = 5
# A command's parameters are the options of the command line, declared one by one.
COMMAND_DECORATORS = frozenset({"command", "callback"})
# A route's parameters are the parts of a request, declared one by one: path, query, headers, body, who asks.
ROUTE_DECORATORS = frozenset({"get", "post", "put", "patch", "delete", "head"})
ROUTE_PARAMETERS_MAX = 8

# Verbs that ask. A bool from any other verb tells whether the act took place (`insert_or_ignore`, `drain`).
QUESTIONS = frozenset({"check", "test", "validate", "verify", "determine", "compare", "match", "get", "find", "tell"})

Function = ast.FunctionDef | ast.AsyncFunctionDef


def walk_functions(file: SourceFile) -> Iterator[Function]:
    """Yield every function and method of a file."""
    yield from (node for node in file.nodes if isinstance(node, Function))


def list_decorators(function: Function) -> set[str]:
    """Return the last names of the decorators: `command` of `@application.command()`."""
    names = set()
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        names.add(format_dotted(target).rpartition(".")[2])
    return names


def check_length(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py"):
        for function in walk_functions(file):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > LINES_MAX:
                found.append(file.report(function, f"{function.name} has {lines} lines, at most {LINES_MAX}"))
    return found


def count_parameters(function: Function) -> int:
    """Return how many parameters a caller sees."""
    parameters = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return len(parameters) - (bool(parameters) and parameters[0].arg in {"self", "cls"})


def check_parameters(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select(".py"):
        for function in walk_functions(file):
            decorators = list_decorators(function)
            is_test = function.name.startswith("test_") or "fixture" in decorators
            most = ROUTE_PARAMETERS_MAX if decorators & ROUTE_DECORATORS else PARAMETERS_MAX
            count = count_parameters(function)
            if count > most and not is_test and not decorators & COMMAND_DECORATORS:
                found.append(file.report(function, f"{function.name} has {count} parameters, at most {most}"))
    return found


def check_verbs(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for function in file.tree.body:
            if not isinstance(function, Function) or list_decorators(function) & COMMAND_DECORATORS:
                continue
            first = function.name.lstrip("_").partition("_")[0]
            if first not in VERBS and not function.name.lstrip("_").startswith(PREDICATE_PREFIXES):
                found.append(
                    file.report(function, f"'{function.name}' does not start with a verb (tests/tidy/words.py)")
                )
    return found


def check_predicates(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        for function in walk_functions(file):
            is_bool = isinstance(function.returns, ast.Name) and function.returns.id == "bool"
            is_named = function.name.startswith(PREDICATE_PREFIXES)
            first = function.name.partition("_")[0]
            is_act = first in VERBS and first not in QUESTIONS
            if is_bool and not is_named and not is_act and not function.name.startswith("_"):
                found.append(file.report(function, f"'{function.name}' answers a question: name it is_, has_ or can_"))
            if is_named and not is_bool and not function.name.startswith("try_") and not _is_guard(function):
                found.append(file.report(function, f"'{function.name}' is named like a predicate and returns no bool"))
    return found


def _is_guard(function: Function) -> bool:
    returns = function.returns
    return isinstance(returns, ast.Subscript) and format_dotted(returns.value).endswith(("TypeGuard", "TypeIs"))


def check_flags(tree: Tree) -> list[Violation]:
    fields = (
        (file, node, node.target.id)
        for file in tree.select(".py", "src/keisan/domain/")
        for node in file.nodes
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and format_dotted(node.annotation) == "bool"
    )
    return [
        file.report(node, f"'{name}' is a bool: name it is_, has_ or can_")
        for file, node, name in fields
        if not name.startswith(PREDICATE_PREFIXES)
    ]


LONG = "def run_it():\n" + "    a = 1\n" * 60
RULES = (
    Rule(
        "function length",
        check_length,
        planted=({"src/keisan/kit/x.py": LONG}, {"tests/x.py": LONG}),
        allowed=({"src/keisan/kit/x.py": "def run_it():\n" + "    a = 1\n" * 59},),
    ),
    Rule(
        "parameters",
        check_parameters,
        planted=(
            {"src/keisan/kit/x.py": "def run_it(a, b, c, d, e, f): ...\n"},
            {"src/keisan/kit/x.py": "class X:\n    def run_it(self, a, b, c, d, *, e, f): ...\n"},
        ),
        allowed=(
            {"src/keisan/kit/x.py": "class X:\n    def run_it(self, a, b, c, d, e): ...\n"},
            {"src/keisan/cli/x.py": "@application.command()\ndef run_it(a, b, c, d, e, f): ...\n"},
            {"tests/x.py": "def test_it(a, b, c, d, e, f): ...\n"},
        ),
    ),
    Rule(
        "verb first",
        check_verbs,
        planted=({"src/keisan/kit/x.py": "def deployment_starter(): ...\n"},),
        allowed=({"src/keisan/kit/x.py": "def start_deployment(): ...\ndef is_ready() -> bool: ...\n"},),
    ),
    Rule(
        "predicates",
        check_predicates,
        planted=(
            {"src/keisan/kit/x.py": "def check_ready() -> bool: ...\n"},
            {"src/keisan/kit/x.py": "def ready() -> bool: ...\n"},
            {"src/keisan/kit/x.py": "def is_ready() -> int: ...\n"},
        ),
        allowed=({"src/keisan/kit/x.py": "def is_ready() -> bool: ...\ndef insert() -> bool: ...\n"},),
    ),
    Rule(
        "flags",
        check_flags,
        planted=({"src/keisan/domain/x.py": "class X:\n    ready: bool\n"},),
        allowed=({"src/keisan/domain/x.py": "class X:\n    is_ready: bool\n"},),
    ),
)
