"""Leaves of calls across platforms: one text for one record, and what a newer platform writes is passed over, not dropped."""

import json
from dataclasses import replace
from typing import Any

import pytest

from keisan.domain.cross_record import RecordEnd
from keisan.domain.errors import InvalidInput
from keisan.domain.limits import CROSS_LEAF_BYTES_MAX
from keisan.wire.base import TOLD_INSTANT_MS_MAX
from keisan.wire.cross_leaf import read_cross_leaf, write_cross_leaf
from tests.federation.cross_samples import create_usage


@pytest.mark.parametrize("usage", [create_usage(), create_usage(RecordEnd.HOME, model="計算", max_tokens=None)])
def test_a_leaf_says_what_was_written_into_it(usage: Any) -> None:
    leaf = write_cross_leaf(usage)
    assert read_cross_leaf(leaf) == usage
    assert write_cross_leaf(replace(usage, quantities=dict(reversed(usage.quantities.items())))) == leaf
    assert b" " not in leaf


def test_members_of_a_newer_platform_are_passed_over() -> None:
    usage = create_usage()
    members = json.loads(write_cross_leaf(usage)) | {"colour": {"deep": ["green"]}}
    assert read_cross_leaf(json.dumps(members).encode()) == usage


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "keisan.receipt.1"},
        {"amount_nano": "-1"},
        {"amount_nano": "1e3"},
        {"amount_nano": "9" * 37},
        {"request_bytes": -1},
        {"admitted_at_ms": TOLD_INSTANT_MS_MAX + 1},
        {"quantities": {"input": 2**63}},
        {"quantities": {"breath": 1}},
        {"home_id": "nobody"},
        {"model": "m" * 1000},
        {"chip": "a\x00b"},
        {"model_digest": "d" * CROSS_LEAF_BYTES_MAX},
        {"record_id": None},
    ],
)
def test_what_is_no_leaf_is_refused(change: dict[str, object]) -> None:
    members = json.loads(write_cross_leaf(create_usage())) | change
    with pytest.raises(InvalidInput):
        read_cross_leaf(json.dumps(members).encode())
