"""Bodies that go up: read back as written, with room for what only a newer platform says, and nothing that a reader falls over."""

from dataclasses import replace

import msgspec
import pytest

from keisan.domain.capacity import CapacityKind, CapacityRow
from keisan.domain.errors import InvalidInput
from keisan.domain.figure import Precision
from keisan.domain.ids import SiteId
from keisan.domain.roll_up import CountName, FieldSum
from keisan.domain.sample import SampleName
from keisan.kit.ids import create_id
from keisan.wire.region import (
    PartBody,
    SiteBody,
    build_kinds,
    build_rollup_body,
    build_row,
    build_row_body,
    encode_region_body,
    read_part_body,
    read_rollup,
    read_scenario_body,
    read_site_body,
    read_summary_body,
)
from tests.domain.test_roll_up import ROLL_UP
from tests.letters import write_register

COUNTS = {**ROLL_UP.counts, CountName.OK: 7, CountName.UNKNOWN: 2, CountName.FAILED: 1}
WHOLE = replace(ROLL_UP, counts=COUNTS)
ROW = CapacityRow("CN-SX", "owner", "Maker", "h20", "US", 4, None, 5, 6, {Precision.FP16: 7}, SiteId(create_id()))


def read(body: bytes) -> object:
    return read_rollup(write_register(kind="roll_up", name="CN-SX", body=body))


def test_a_roll_up_is_read_back_as_it_was_told() -> None:
    assert read(encode_region_body(build_rollup_body(WHOLE, 1))) == WHOLE
    bare = replace(WHOLE, proven_at=None, temperature_most_millicelsius=None)
    assert read(encode_region_body(build_rollup_body(bare, 1))) == bare


def test_a_newer_platform_says_more_and_an_older_one_less() -> None:
    body = build_rollup_body(WHOLE, 1)
    newer = msgspec.structs.replace(
        body, counts=(*body.counts, 99), totals=(*body.totals, 99), tellers=(*body.tellers, 9)
    )
    longer = [*msgspec.json.decode(encode_region_body(newer)), "more"]
    assert read(msgspec.json.encode(longer)) == WHOLE
    older = msgspec.structs.replace(body, totals=body.totals[:2], tellers=body.tellers[:2])
    found = read_rollup(write_register(kind="roll_up", name="CN-SX", body=encode_region_body(older)))
    assert found.sums[SampleName.UTILIZATION_PERMILLE] == FieldSum(100, 9)
    # What an older platform does not tell is known of no device.
    assert found.sums[SampleName.LINK_UP_COUNT] == FieldSum(0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"counts": (10, 11)},
        {"counts": (10, 9, 9, 9, 9)},
        {"counts": (-1,)},
        {"counts": (2**70,)},
        {"tellers": (11,)},
        {"proven_ms": 2**62},
        {"told_ms": -1},
        {"hottest": 2**63},
    ],
)
def test_numbers_that_no_fleet_has_are_refused(change: dict[str, object]) -> None:
    given = msgspec.structs.asdict(build_rollup_body(WHOLE, 1)) | change
    with pytest.raises(InvalidInput):
        read(msgspec.json.encode(list(given.values())))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[1,2,3,4,5,6,7]", b"[" * 5000, b"\xff"])
def test_what_is_no_roll_up_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read(body)


def test_rows_are_read_back_in_a_region_that_counts() -> None:
    told = build_row_body(ROW, with_provider=True)
    assert build_row(told, "CN-SX", ROW.site_id) == ROW
    hidden = build_row_body(ROW, with_provider=False)
    assert build_row(hidden, "CN-SH", None) == replace(ROW, provider=None, region="CN-SH", site_id=None)
    newer = msgspec.structs.replace(told, gflops={**told.gflops, "fp2": 3})
    assert build_row(newer, "CN-SX", ROW.site_id) == ROW
    assert build_kinds({"connected": (told,), "dreamt": (told,)}) == {CapacityKind.CONNECTED: (told,)}


def test_bodies_of_an_inventory_are_read_back() -> None:
    body = SiteBody(region="CN-SX", kinds={"connected": (build_row_body(ROW, with_provider=False),)}, part_count=2)
    assert read_site_body(write_register(body=encode_region_body(body))) == body
    part = PartBody({"h20": bytes(range(16))})
    assert read_part_body(write_register(body=encode_region_body(part))) == part
    with pytest.raises(InvalidInput):
        read_part_body(write_register(body=encode_region_body(PartBody({"h20": bytes(9)}))))
    assert read_summary_body(write_register(body=b'{"site_count":3,"later":[]}')).site_count == 3
    assert read_scenario_body(write_register(body=b'{"scenarios":[{"name":"chat"}]}')).scenarios
    for wrong in (b'{"site_count":-1}', b'{"models":3}'):
        with pytest.raises(InvalidInput):
            read_summary_body(write_register(body=wrong))
