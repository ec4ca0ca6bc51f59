"""Bodies of settlement's letters: read back as written, bounded, and signed texts are carried byte for byte."""

from typing import Any
from uuid import UUID

import pytest

from keisan.domain.cross_record import TreeNode
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import (
    COMPARISON_NODES_MAX,
    CROSS_BATCH_BYTES_MAX,
    CROSS_BATCH_RECORDS_MAX,
    CROSS_LEAF_BYTES_MAX,
    LETTER_BYTES_MAX,
)
from keisan.domain.price import TokenClass
from keisan.domain.settlement import HourlyTotal, SignedText, TotalLine
from keisan.wire import settlement as bodies
from keisan.wire.cross_leaf import write_cross_leaf
from tests.domain.samples import name_id
from tests.federation.cross_samples import HOME, PERIOD, SERVING, create_usage, mark

SIGNED = SignedText('{"a":"計\\n",  "newer":1}'.encode(), bytes(64), bytes(32))
TOTAL = HourlyTotal(
    name_id(71),
    SERVING,
    f"{PERIOD}T09",
    "CN-SX",
    2,
    3,
    "ef" * 32,
    (TotalLine("smol", "cpu", 3, {TokenClass.INPUT: 9}),),
)
NODES = (
    TreeNode("", 40, bytes(32), branches={"a": (17, b"\x01" * 32)}),
    TreeNode("ab", 1, bytes(32), leaves={mark(1).leaf_id: b"\x02" * 32}),
)
COMPARISON = bodies.ComparisonBody(SERVING, HOME, PERIOD, ("ab", ""), NODES, (mark(2).leaf_id,))


def test_bodies_are_read_back_with_their_bytes() -> None:
    usage = bodies.UsageBody(SIGNED, (b'{"x": 1 }', '{"計":"\\""}'.encode()))
    assert bodies.read_usage(bodies.write_usage(usage)) == usage
    assert bodies.read_signed(bodies.write_signed(SIGNED)) == SIGNED
    countersigned = bodies.CountersignatureBody(bodies.CountersignatureOf.BATCH, SIGNED)
    assert bodies.read_countersigned(bodies.write_countersigned(countersigned)) == countersigned
    assert bodies.read_total(bodies.write_total(TOTAL)) == TOTAL
    assert TOTAL.period == PERIOD
    assert bodies.read_comparison(bodies.write_comparison(COMPARISON)) == COMPARISON
    assert bodies.read_comparison(bodies.write_comparison(bodies.ComparisonBody(SERVING, HOME, PERIOD))).asked == ()


def test_a_full_batch_is_within_a_letter() -> None:
    leaf = write_cross_leaf(create_usage(model="m" * 100))
    count = min(CROSS_BATCH_RECORDS_MAX, (CROSS_BATCH_BYTES_MAX + CROSS_LEAF_BYTES_MAX) // len(leaf))
    assert len(bodies.write_usage(bodies.UsageBody(SIGNED, (leaf,) * count))) < LETTER_BYTES_MAX - 1024


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (bodies.read_usage, b"[]"),
        (bodies.read_usage, bodies.write_usage(bodies.UsageBody(SIGNED, ()))),
        (bodies.read_usage, bodies.write_usage(bodies.UsageBody(SIGNED, (b"{}",) * (CROSS_BATCH_RECORDS_MAX + 1)))),
        (bodies.read_signed, b'{"content":"","signature":"xy","public_key":""}'),
        (bodies.read_countersigned, b'{"content":"","signature":"","public_key":"","of":"bread"}'),
        (bodies.read_total, bodies.write_total(TOTAL).replace(b"T09", b"T24")),
        (bodies.read_total, bodies.write_total(TOTAL).replace(b'"record_count":3', b'"record_count":4', 1)),
        (bodies.read_total, bodies.write_total(TOTAL).replace(b"efef", b"ef", 1)),
        (bodies.read_total, bodies.write_total(TOTAL).replace(b"efef", b"xyzz", 1)),
        (
            bodies.read_comparison,
            bodies.write_comparison(bodies.ComparisonBody(SERVING, HOME, PERIOD, ("a",) * (COMPARISON_NODES_MAX + 1))),
        ),
        (
            bodies.read_comparison,
            bodies.write_comparison(
                bodies.ComparisonBody(
                    SERVING,
                    HOME,
                    PERIOD,
                    told=(TreeNode("", 1, bytes(32), leaves={UUID(int=each): bytes(32) for each in range(17)}),),
                )
            ),
        ),
    ],
)
def test_what_is_no_body_is_refused(read: Any, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(body)
