"""Money and quantities are integers: no float comes near them."""

import ast

from tests.tidy.rule import Rule
from tests.tidy.tree import Tree, Violation, format_dotted

MONEY_PREFIXES = ("src/keisan/ledger/",)
MONEY_STEMS = frozenset(
    {"price", "account", "usage", "usage_sum", "usage_record", "posting", "money", "ledger", "statement"}
)
MONEY_ROOMS = ("src/keisan/domain/", "src/keisan/wire/", "src/keisan/storage/", "src/keisan/api/")


def check_floats(tree: Tree) -> list[Violation]:
    found = []
    for file in tree.select_modules():
        if not file.path.startswith(MONEY_PREFIXES) and not (
            file.stem in MONEY_STEMS and file.path.startswith(MONEY_ROOMS)
        ):
            continue
        for node in file.nodes:
            is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            is_name = isinstance(node, ast.Name) and node.id in {"float", "round"}
            is_division = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
            is_column = isinstance(node, ast.Attribute | ast.Name) and format_dotted(node).rpartition(".")[2] in {
                "Float", "REAL", "Double", "DOUBLE_PRECISION",
            }  # fmt: skip # one set of column types
            if is_literal or is_name or is_division or is_column:
                found.append(file.report(node, "money and quantities are integers (R3)"))
    return found


def plant(path: str, text: str) -> dict[str, str]:
    return {f"src/keisan/{path}": text}


RULES = (
    Rule(
        "no floats for money",
        check_floats,
        planted=(
            plant("ledger/x.py", "a = 0.5\n"),
            plant("domain/price.py", "a = b / c\n"),
            plant("domain/account.py", "balance: float\n"),
            plant("ledger/x.py", "a /= 2\n"),
            plant("storage/price.py", "Column('a', Float)\n"),
        ),
        allowed=(plant("ledger/x.py", "a = b // c\n"), plant("kit/retry.py", "a = 0.5\n")),
    ),
)
