"""Whole numbers cross as the server itself writes and reads them."""

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from keisan.storage.database import Database
from keisan.storage.numeric import decode_numeric, encode_numeric
from keisan.storage.schema import EXACT_DIGITS_MAX

MOST = 10**EXACT_DIGITS_MAX - 1
EDGES = [sign * (10**power + more) for power in range(EXACT_DIGITS_MAX) for more in (-1, 0, 1) for sign in (1, -1)]


@given(st.integers(-(10**60), 10**60))
def test_every_whole_number_comes_back(value: int) -> None:
    assert decode_numeric(encode_numeric(value)) == value


@pytest.mark.postgresql
async def test_the_server_reads_and_writes_the_same(postgresql_storage: Database) -> None:
    source = Random(5)
    numbers = EDGES + [source.randrange(-MOST, MOST) for _ in range(500)] + [MOST, -MOST]
    # As text on the server's side of it, in both directions.
    echo = text("SELECT CAST(CAST(:sent AS numeric(38, 0)) AS text), CAST(CAST(:text AS text) AS numeric(38, 0))")
    async with postgresql_storage._dialect.open_reader() as connection:
        for number in numbers:
            row = (await connection.execute(echo, {"sent": number, "text": str(number)})).one()
            assert (row[0], row[1]) == (str(number), number)


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack("!hhHhh", 1, -1, 0, 4, 5000),  # 0.5
        struct.pack("!hhHhhh", 2, 0, 0, 1, 1, 5000),  # 1.5
        struct.pack("!hhHh", 0, 0, 0xC000, 0),  # NaN
        struct.pack("!hhHh", 0, 0, 0xD000, 0),  # Infinity
    ],
)
def test_what_is_no_whole_number_is_refused(sent: bytes) -> None:
    with pytest.raises(ValueError, match="whole number"):
        decode_numeric(sent)
