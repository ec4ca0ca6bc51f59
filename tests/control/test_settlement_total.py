"""Hourly totals: sums of an hour by region, model and chip, and a root under which each raw record can be shown by its path."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from keisan.control.settlement_total import HourNames, sum_hour
from keisan.domain.ids import ModelId, OrganizationId, SiteId
from keisan.domain.merkle import build_path, follow_path
from keisan.domain.price import TokenClass
from keisan.domain.usage import PostedRecord
from keisan.ledger.receipt import hash_leaves, order_records
from tests.domain.samples import MODEL_ID, NOW, SITE_ID, build_posted, build_record, create_record_id, name_id
from tests.federation.cross_samples import SERVING

OTHER_SITE, OTHER_MODEL = SiteId(name_id(6, 2)), ModelId(name_id(9, 2))
NAMES = HourNames({MODEL_ID: "smol", OTHER_MODEL: "big"}, {SITE_ID: "CN-SX", OTHER_SITE: "CN-SH"})
HOUR = "2026-11-23T09"


def create_posted(number: int) -> PostedRecord:
    """Return one of records that differ in site, model and organization."""
    posted = build_posted(
        build_record(
            id=create_record_id(NOW + timedelta(seconds=number)),
            quantities={TokenClass.INPUT: number, TokenClass.OUTPUT: 2},
        )
    )
    context = replace(
        posted.record.context,
        site_id=OTHER_SITE if number % 3 == 0 else SITE_ID,
        model_id=OTHER_MODEL if number % 2 == 0 else MODEL_ID,
        organization_id=OrganizationId(name_id(1, number % 4)),
    )
    return posted._replace(record=posted.record._replace(context=context))


@given(st.permutations([create_posted(number) for number in range(1, 9)]))
def test_totals_are_of_what_there_is_in_any_order(records: list[PostedRecord]) -> None:
    home, other = sum_hour(SERVING, HOUR, records, NAMES)
    assert (home.region, other.region) == ("CN-SH", "CN-SX")
    assert (home.record_count, other.record_count) == (2, 6)
    assert (home.organization_count, other.organization_count) == (2, 4)
    assert [(line.model, line.record_count) for line in other.lines] == [("big", 3), ("smol", 3)]
    assert other.lines[1].quantities == {TokenClass.INPUT: 1 + 5 + 7, TokenClass.OUTPUT: 6}
    assert (home.hour, home.period) == (HOUR, "2026-11-23")


def test_a_raw_record_is_shown_by_its_path() -> None:
    records = [create_posted(number) for number in (1, 2, 4, 5)]
    (total,) = sum_hour(SERVING, HOUR, records, NAMES)
    hashes = hash_leaves(order_records(records))
    for index, leaf_hash in enumerate(hashes):
        root = follow_path(leaf_hash, index, total.record_count, build_path(hashes, index))
        assert root is not None
        assert root.hex() == total.records_root
