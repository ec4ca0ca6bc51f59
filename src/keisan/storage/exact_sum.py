"""A sum of integers that is exact on both databases (R3).

PostgreSQL adds numerics. SQLite's sum ends at 2^63, so there a number is cut into limbs of nine digits, each limb is
summed in SQL, and Python puts the sums together.
"""

from sqlalchemy import Dialect, Text, TypeDecorator
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from keisan.storage.schema import EXACT_DIGITS_MAX, ExactInteger

LIMB_DIGITS = 9
LIMB_COUNT = 5
# A limb is below 10^9, so SQLite's integers hold the sum of more rows than a table can have in a lifetime.
assert (2**63 - 1) // 10**LIMB_DIGITS > 9 * 10**9
# Five limbs are 45 digits, more than the 38 of an amount.
assert LIMB_DIGITS * LIMB_COUNT >= EXACT_DIGITS_MAX
LIMB_ENDS = range(LIMB_DIGITS * LIMB_COUNT, 0, -LIMB_DIGITS)
LIMB_SEPARATOR = "|"


class SummedInteger(TypeDecorator[int]):
    """Reads what ExactSum returns: a numeric, or on SQLite the sums of the limbs, highest first."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: str | int | None, _dialect: Dialect) -> int | None:
        if not isinstance(value, str):
            return value
        total = 0
        for limb in value.split(LIMB_SEPARATOR):
            total = total * 10**LIMB_DIGITS + int(limb)
        return total


class ExactSum(FunctionElement[int]):
    """The sum of one column, null when there is nothing to add; a column of ExactInteger must hold no negatives."""

    name = "exact_sum"
    type = SummedInteger()
    inherit_cache = True


@compiles(ExactSum, "postgresql")
def write_postgresql(element: ExactSum, compiler: SQLCompiler, **options: object) -> str:
    """Return the sum as PostgreSQL makes it: of type numeric, which has no end."""
    return f"CAST(sum({compiler.process(element.clauses, **options)}) AS NUMERIC)"


@compiles(ExactSum, "sqlite")
def write_sqlite(element: ExactSum, compiler: SQLCompiler, **options: object) -> str:
    """Return the sums of all limbs as one text, highest limb first."""
    (column,) = element.clauses
    name = compiler.process(column, **options)
    if isinstance(column.type, ExactInteger):
        limbs = [f"CAST(substr({name}, -{end}, {LIMB_DIGITS}) AS INTEGER)" for end in LIMB_ENDS]
    else:
        limbs = [f"{name} / {10**LIMB_DIGITS}", f"{name} % {10**LIMB_DIGITS}"]
    return "(" + f" || '{LIMB_SEPARATOR}' || ".join(f"sum({limb})" for limb in limbs) + ")"
