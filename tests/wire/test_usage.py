"""Uploads: records are split and joined exactly as they were spooled, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.limits import API_BODY_BYTES_MAX, USAGE_BATCH_RECORDS_MAX
from keisan.wire.usage import USAGE_RECORD_PARTS_MAX, split_usage_batch
from keisan.wire.usage_record import USAGE_RECORD_BYTES_MAX, parse_usage_record

TEXT = st.binary(max_size=40).map(lambda text: text.replace(b"\n", b""))
WHOLE = TEXT.filter(lambda line: not line[:1].isdigit() and not line.startswith(b"+"))


@given(st.lists(WHOLE, min_size=1, max_size=9))
def test_whole_records_are_split_as_they_were(lines: list[bytes]) -> None:
    assert split_usage_batch(b"".join(line + b"\n" for line in lines)) == lines


@given(st.data())
def test_records_are_joined_of_the_parts_before_them(data: st.DataObject) -> None:
    parts: list[bytes] = []
    lines: list[bytes] = []
    expected: list[bytes] = []
    for own in data.draw(st.lists(TEXT, min_size=1, max_size=9)):
        fresh = data.draw(st.lists(TEXT, max_size=2))
        parts += fresh
        lines += [b"+" + part for part in fresh]
        numbers = data.draw(st.lists(st.integers(0, len(parts) - 1), min_size=1, max_size=4)) if parts else []
        named = b"".join(parts[number] for number in numbers)
        start = ",".join(map(str, numbers)).encode() + b":" if numbers else b"{"
        lines.append(start + own)
        expected.append(named + own if numbers else b"{" + own)
    assert split_usage_batch(b"\n".join(lines)) == expected


def test_part_that_comes_late_serves_those_behind_it() -> None:
    assert split_usage_batch(b"0:a\n+{\n0:b\n") == [b"0:a", b"{b"]


def test_parts_longer_than_a_record_are_not_joined() -> None:
    # Else a short body would be joined to a large one.
    half = b"x" * (USAGE_RECORD_BYTES_MAX // 2)
    lines = [b"+" + half, b"+" + half[1:], b"+" + half + b"y", b"0,1:z", b"0,1:zz", b"0,0:", b"0,0:z", b"0,2:z"]
    joined = [half + half[1:] + b"z", half + half]
    assert split_usage_batch(b"\n".join(lines)) == [joined[0], b"0,1:zz", joined[1], b"0,0:z", b"0,2:z"]


def test_end_of_the_last_line_may_be_missing() -> None:
    assert split_usage_batch(b"one\r\n\ntwo") == [b"one\r", b"", b"two"]


def test_batch_has_a_bounded_number_of_records() -> None:
    largest = b"{}\n" * USAGE_BATCH_RECORDS_MAX
    shared = b"+a\n" * (USAGE_RECORD_PARTS_MAX * USAGE_BATCH_RECORDS_MAX)
    for body in (largest, shared + largest):
        assert split_usage_batch(body) == [b"{}"] * USAGE_BATCH_RECORDS_MAX
    beyond = [b"", b"+a\n", largest + b"\n", largest + b"{}", largest + b"{}\n", shared + b"+a\n" + largest]
    for body in (*beyond, b"\n" * API_BODY_BYTES_MAX, b"+\n" * (API_BODY_BYTES_MAX // 2)):
        with pytest.raises(InvalidInput, match="expected 1 to"):
            split_usage_batch(body)


def test_largest_batch_fits_a_body() -> None:
    numbers = len(str(USAGE_RECORD_PARTS_MAX * USAGE_BATCH_RECORDS_MAX)) + 1
    line = USAGE_RECORD_BYTES_MAX + USAGE_RECORD_PARTS_MAX * (numbers + 2) + 1
    assert line * USAGE_BATCH_RECORDS_MAX <= API_BODY_BYTES_MAX


@pytest.mark.parametrize(
    "line",
    [b"2:}", b"0,:}", b"0,x:}", b"0,0,0,0,0:}", b"0", b"-1:}", b"00000000:}", b"9" * 5000 + b":}", b" 0:}", b"3,0:}"],
)
def test_record_of_parts_that_are_not_there_stays_as_it_is_and_is_refused(line: bytes) -> None:
    (record,) = split_usage_batch(b'+{\n+"a":1\n' + line)
    assert record == line
    with pytest.raises(InvalidInput):
        parse_usage_record(record)
