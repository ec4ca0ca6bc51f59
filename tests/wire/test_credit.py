"""The credit exchange on the wire: amounts as decimal strings, bounds that both databases hold, nothing by chance."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from keisan.wire.credit import CREDIT_NANO_MAX, CreditAnswer, CreditReport
from tests.domain.samples import KEY_ID, ORGANIZATION_ID, name_id

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "credit.json").read_text())
TICKET = {"ticket_id": str(name_id(14)), "spent_nano": "1", "reserved_nano": "2", "returned_nano": "3"}
WANT = {"holder_id": str(ORGANIZATION_ID), "currency": "CNY", "wanted_nano": "4"}
RATE = {"limit_id": f"key:{KEY_ID}:requests", "share_ppm": 5, "demand_per_minute": 6}
REPORT = {
    "incarnation": str(name_id(15)),
    "is_spool_passed": True,
    "tickets": [TICKET],
    "wanted": [WANT],
    "rates": [RATE],
}


def test_report_of_a_relay_is_read_whole() -> None:
    report = CreditReport.model_validate_json(json.dumps(REPORT))
    assert (report.incarnation, report.is_spool_passed) == (name_id(15), True)
    (ticket,), (want,), (rate,) = report.tickets, report.wanted, report.rates
    assert (ticket.ticket_id, ticket.spent_nano, ticket.reserved_nano, ticket.returned_nano) == (name_id(14), 1, 2, 3)
    assert (want.holder_id, want.wanted_nano, want.currency) == (ORGANIZATION_ID, 4, "CNY")
    assert (rate.limit_id, rate.share_ppm, rate.demand_per_minute) == (RATE["limit_id"], 5, 6)
    assert (report.sequence, report.default_share_ppm, report.is_last, ticket.credit_nano) == (0, 0, False, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"tickets": [TICKET | {"spent_nano": 1.5}]},
        {"tickets": [TICKET | {"spent_nano": "-1"}]},
        {"tickets": [TICKET | {"returned_nano": str(CREDIT_NANO_MAX + 1)}]},
        {"tickets": [TICKET | {"reserved_nano": None}]},
        {"wanted": [WANT | {"currency": "yuan"}]},
        {"wanted": [WANT | {"currency": None}]},
        {"wanted": [WANT | {"wanted_nano": True}]},
        {"rates": [RATE | {"share_ppm": 1_000_001}]},
        {"rates": [RATE | {"share_ppm": -1}]},
        {"rates": [RATE | {"demand_per_minute": 2**63}]},
        {"rates": [RATE | {"limit_id": "key:all:requests"}]},
        {"rates": [RATE] * 16_001},
        {"incarnation": "first"},
        {"sequence": -1},
        {"part": 1},
        {"part": 0, "part_count": 0},
        {"part": 0, "part_count": 257},
        {"unknown": 1},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_what_storage_or_ledger_could_not_hold_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CreditReport.model_validate_json(json.dumps(REPORT | changes))


def test_answer_tells_amounts_exactly() -> None:
    line = {"ticket_id": name_id(14), "holder_id": ORGANIZATION_ID, "currency": "CNY"}
    answer = CreditAnswer.model_validate(
        {"lease_s": 7200, "renew_s": 10, "tickets": [line | {"credit_nano": 2**70 + 1, "give_back_nano": 0}]}
    )
    told = json.loads(answer.model_dump_json())
    assert told["tickets"][0]["credit_nano"] == str(2**70 + 1)
    assert told["tickets"][0]["give_back_nano"] == "0"
    assert (told["refused"], told["rates"], told["default_share_ppm"]) == ([], [], 0)
    assert CreditAnswer.model_validate_json(answer.model_dump_json()) == answer


def test_golden_exchange_is_what_both_sides_say() -> None:
    report = CreditReport.model_validate_json(json.dumps(GOLDEN["report"]))
    assert json.loads(report.model_dump_json()) == GOLDEN["report"]
    relay = CreditReport.model_validate_json(json.dumps(GOLDEN["relay_report"]))
    assert [(ticket.spent_nano, ticket.reserved_nano, ticket.returned_nano) for ticket in relay.tickets] == [
        (300, 77, 21),
        (0, 5000, 0),
    ]
    assert [(want.currency, want.wanted_nano) for want in relay.wanted] == [("JPY", 5000)]
    answer = CreditAnswer.model_validate_json(json.dumps(GOLDEN["answer"]))
    assert json.loads(answer.model_dump_json()) == GOLDEN["answer"]
    assert [(line.credit_nano, line.give_back_nano, line.currency) for line in answer.tickets] == [
        (2**70 + 1, 21, "CNY"),
        (5000, 0, "JPY"),
    ]
    assert [line.currency for line in answer.refused] == ["USD"]
    assert [(line.share_ppm, line.is_awaited) for line in answer.rates] == [(250_000, False), (0, True)]
