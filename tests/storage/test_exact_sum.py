"""Sums that no 64-bit integer holds, in SQL, on both databases."""

from random import Random

import pytest
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, select

from keisan.storage.database import Database
from keisan.storage.exact_sum import ExactSum
from keisan.storage.schema import ExactInteger

numbers = Table(
    "numbers",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("exact", ExactInteger()),
    Column("big", BigInteger),
)


async def sum_both(storage: Database, exact: list[int | None], big: list[int | None]) -> tuple[int | None, int | None]:
    async with storage._dialect.open_writer() as connection:
        await connection.run_sync(numbers.create)
        rows = [{"exact": left, "big": right} for left, right in zip(exact, big, strict=True)]
        if rows:
            await connection.execute(numbers.insert(), rows)
        found = (await connection.execute(select(ExactSum(numbers.c.exact), ExactSum(numbers.c.big)))).one()
        return found[0], found[1]


@pytest.mark.parametrize("seed", range(3))
async def test_sum_of_random_numbers(storage: Database, seed: int) -> None:
    random = Random(seed)
    exact: list[int | None] = [random.randrange(10 ** random.randrange(1, 39)) for _ in range(200)]
    big: list[int | None] = [random.randrange(-(2**63), 2**63) for _ in range(200)]
    assert await sum_both(storage, exact, big) == (sum(map(int, filter(None, exact))), sum(map(int, filter(None, big))))


async def test_sum_at_the_edges_of_limbs(storage: Database) -> None:
    exact: list[int | None] = [10**power for power in range(38)] + [10**power - 1 for power in range(1, 39)]
    most: list[int | None] = [2**63 - 1] * len(exact)
    assert await sum_both(storage, exact, most) == (sum(map(int, filter(None, exact))), (2**63 - 1) * len(exact))


async def test_nothing_adds_up_to_nothing(storage: Database) -> None:
    assert await sum_both(storage, [], []) == (None, None)


async def test_nulls_are_not_added(storage: Database) -> None:
    assert await sum_both(storage, [None, 3, None], [None, None, -4]) == (3, -4)
