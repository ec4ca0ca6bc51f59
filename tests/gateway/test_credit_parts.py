"""Long credit reports in parts: nothing is lost or said twice, and what belongs together stays together."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import Failed
from keisan.domain.limits import CREDIT_PARTS_MAX
from keisan.gateway.credit_parts import Line, merge_answers, name_owners, split_report
from keisan.wire.credit import CreditAnswer, CreditReport
from tests.domain.samples import name_id

INCARNATION = str(name_id(15))
LISTS = ("tickets", "wanted", "rates")


def build_report(owners: list[int]) -> tuple[Line, Mapping[str, UUID]]:
    """Return a report with a ticket, a want and a limit of each owner, and whose each ticket is."""
    ids = {number: name_id(1, number) for number in owners}
    zero = {"spent_nano": "0", "reserved_nano": "0", "returned_nano": "0"}
    said = {
        "incarnation": INCARNATION,
        "is_spool_passed": True,
        "tickets": [{"ticket_id": str(name_id(14, number)), **zero} for number in ids],
        "wanted": [{"holder_id": str(each), "currency": "CNY", "wanted_nano": "1"} for each in ids.values()],
        "rates": [
            {"limit_id": f"organization:{each}:calls", "share_ppm": 1, "demand_per_minute": 1} for each in ids.values()
        ],
    }
    return said, {str(name_id(14, number)): each for number, each in ids.items()}


@given(st.lists(st.integers(1, 10**6), unique=True, max_size=60), st.integers(3, 20))
def test_every_line_stands_once_and_beside_its_owners_others(numbers: list[int], lines_max: int) -> None:
    said, organizations = build_report(numbers)
    try:
        parts = split_report(said, name_owners(organizations), lines_max)
    except Failed:
        return
    for name in LISTS:
        lines = [line for part in parts for line in part[name]]
        assert sorted(map(str, lines)) == sorted(map(str, said[name]))
        assert all(len(part[name]) <= lines_max for part in parts)
    for part in parts:
        report = CreditReport.model_validate(part)
        assert {want.holder_id for want in report.wanted} == {
            organizations[str(ticket.ticket_id)] for ticket in report.tickets
        }
        assert all(report.is_about(want.holder_id) for want in report.wanted)
        assert report.incarnation == UUID(INCARNATION)


def test_report_that_fits_is_one_part() -> None:
    said, organizations = build_report([1, 2, 3])
    (part,) = split_report(said, name_owners(organizations), 3)
    assert part == said | {"part": 0, "part_count": 1}
    first, second = split_report(said, name_owners(organizations), 2)
    assert (first["part_count"], [len(part["wanted"]) for part in (first, second)]) == (2, [1, 2])


def test_what_no_parts_can_hold_is_not_sent() -> None:
    said, organizations = build_report([CREDIT_PARTS_MAX, 2 * CREDIT_PARTS_MAX])
    with pytest.raises(Failed):
        split_report(said, name_owners(organizations), 1)


def test_closed_ticket_that_nobody_knows_is_somebodys_part() -> None:
    said, _ = build_report([1, 2, 3])
    parts = split_report(said, name_owners({}), 3)
    assert [len(part["tickets"]) for part in parts] == [3]


def test_answers_are_one_answer() -> None:
    ticket = {"ticket_id": name_id(14), "holder_id": name_id(1), "currency": "CNY"}
    first = CreditAnswer.model_validate(
        {"lease_s": 60, "renew_s": 10, "tickets": [ticket | {"credit_nano": 5, "give_back_nano": 0}]}
    )
    refused = [{"holder_id": name_id(2), "currency": "CNY"}]
    rates = [{"limit_id": "l", "share_ppm": 7}]
    second = CreditAnswer.model_validate(
        {"lease_s": 50, "renew_s": 20, "refused": refused, "rates": rates, "default_share_ppm": 9}
    )
    merged = merge_answers([first, second])
    assert (merged.lease_s, merged.renew_s, merged.default_share_ppm) == (50, 10, 0)
    assert (merged.tickets, merged.refused, merged.rates) == (first.tickets, second.refused, second.rates)
    assert merge_answers([second]) == second
