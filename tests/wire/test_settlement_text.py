"""What platforms sign of settlements: read back as written, bounded, and open to members of a newer platform."""

import json
from typing import Any

import pytest

from keisan.domain.cross_record import BatchHeader
from keisan.domain.errors import InvalidInput
from keisan.domain.settlement import CountersignedPeriod
from keisan.wire import settlement_text as texts
from tests.domain.samples import name_id
from tests.federation.cross_samples import HOME, PERIOD, SERVING, create_statement, mark

HEADER = BatchHeader(name_id(70), SERVING, HOME, PERIOD, 2, "ab" * 32, 5)
COUNTERSIGNED = CountersignedPeriod(HOME, SERVING, PERIOD, "cd" * 32, {"CNY": 10**30}, {}, 7)


def test_signed_texts_are_read_back_and_newer_members_are_passed_over() -> None:
    pairs: list[tuple[Any, Any, Any]] = [
        (texts.write_batch, texts.read_batch, HEADER),
        (texts.write_period_end, texts.read_period_end, create_statement([mark(1)])),
        (texts.write_countersignature, texts.read_countersignature, COUNTERSIGNED),
    ]
    for write, read, value in pairs:
        content = write(value)
        assert read(content) == value
        assert read(content[:-1] + b',"colour":"green"}') == value
        for broken in (
            b"",
            b"{}",
            content.replace(b"keisan.", b"other."),
            content.replace(PERIOD.encode(), b"2026-11"),
        ):
            with pytest.raises(InvalidInput):
                read(broken)


@pytest.mark.parametrize(
    ("change"),
    [
        {"leaves_root": "x" * 64},
        {"leaves_root": "ab"},
        {"record_count": -1},
        {"revision": 0},
        {"period": "20261-1-01"},
        {"receivable_nano": {"CNY": "-5"}},
        {"receivable_nano": {"CNYX": "5"}},
        {"receivable_nano": {f"A{number:02}": "1" for number in range(33)}},
    ],
)
def test_a_period_s_end_is_bounded(change: dict[str, object]) -> None:
    members = json.loads(texts.write_period_end(create_statement([]))) | change
    with pytest.raises(InvalidInput):
        texts.read_period_end(json.dumps(members).encode())
