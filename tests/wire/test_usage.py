"""Usage records: what the relay wrote is read whole, and whatever else comes is InvalidInput and nothing worse."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.price import TokenClass
from keisan.wire.usage import USAGE_RECORD_BYTES_MAX, UsageRecordView, parse_usage_record
from tests.domain.samples import RECORD_ID, build_record
from tests.wire.records import build_body, build_text

GOLDEN = Path(__file__).parents[1] / "golden" / "usage_record.json"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def test_every_field_is_read() -> None:
    text = build_text()
    expected = build_record(content_digest=hashlib.sha256(text.encode()).hexdigest())
    assert parse_usage_record(text) == expected


def test_digest_is_of_the_text_and_not_of_its_meaning() -> None:
    first, spaced = build_text(), json.dumps(build_body(), indent=1)
    assert parse_usage_record(first).content_digest != parse_usage_record(spaced).content_digest


def test_fields_of_later_relays_are_ignored() -> None:
    assert parse_usage_record(build_text(attempt_id="a1")).event_count == 12


@pytest.mark.parametrize("name", sorted(set(build_body()) - {"ticket_id"}))
def test_missing_field_is_refused(name: str) -> None:
    body = build_body()
    del body[name]
    with pytest.raises(InvalidInput, match="not a usage record"):
        parse_usage_record(json.dumps(body))


def test_record_of_a_relay_that_knew_no_tickets_has_none() -> None:
    body = build_body()
    del body["ticket_id"]
    assert parse_usage_record(json.dumps(body)).ticket_id is None
    assert parse_usage_record(build_text(ticket_id=None)).ticket_id is None
    assert parse_usage_record(build_text(ticket_id=str(RECORD_ID))).ticket_id == RECORD_ID


@pytest.mark.parametrize(
    "changes",
    [
        {"schema_version": 2},
        {"platform_id": "AB" * 32},
        {"record_id": "no id"},
        {"quantities": {"input": -1}},
        {"quantities": {"input": 1.5}},
        {"quantities": {"input": 2**63}},
        {"quantities": {"video": 1}},
        {"admitted_at_ms": 10**18},
        {"duration_us": 2**63},
        {"request_bytes": -1},
        {"http_status": 10**9},
        {"amount_nano": "-1"},
        {"amount_nano": 30500.0},
        {"amount_nano": True},
        {"amount_nano": "1" + "0" * 40},
        {"surface": "images"},
        {"outcome": "lost"},
        {"day": "2026-02-30"},
        {"ticket_id": "no id"},
    ],
    ids=str,
)
def test_value_that_storage_or_ledger_could_not_hold_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        parse_usage_record(build_text(**changes))


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "\x00", "\ud800", '{"a":"\ud800"}', "{"])
def test_text_that_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_usage_record(text)


@given(st.text())
def test_no_text_does_worse_than_being_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_usage_record(text)


@given(name=st.sampled_from(list(build_body())), value=JSON_VALUES)
def test_no_value_of_any_field_does_worse_than_being_refused(name: str, value: object) -> None:
    try:
        record = parse_usage_record(build_text(**{name: value}))
    except InvalidInput:
        return
    assert record.amount_nano >= 0
    assert all(quantity >= 0 for quantity in record.quantities.values())


def test_size_is_bounded_in_bytes() -> None:
    room = USAGE_RECORD_BYTES_MAX - len(build_text(padding="").encode())
    assert parse_usage_record(build_text(padding="a" * room)).event_count == 12
    with pytest.raises(InvalidInput, match="4096 bytes, got 4097"):
        parse_usage_record(build_text(padding="a" * (room + 1)))


def test_nul_that_postgresql_could_not_hold_is_replaced() -> None:
    assert parse_usage_record(build_text(model_digest="sha256:\x00")).model_digest == "sha256:\ufffd"


def test_amount_beyond_doubles_crosses_both_ways_exactly() -> None:
    record = parse_usage_record(build_text(amount_nano="9007199254740993"))
    shown = UsageRecordView.model_validate(record)
    assert shown.amount_nano == 2**53 + 1
    assert '"amount_nano":"9007199254740993"' in shown.model_dump_json()


@pytest.mark.skipif(not GOLDEN.exists(), reason="tests/golden/usage_record.json is written by the relay's tests")
def test_golden_record_of_the_relay_parses_field_by_field() -> None:
    text = GOLDEN.read_text(encoding="utf-8").strip()
    written = json.loads(text)
    record = parse_usage_record(text)
    shown = json.loads(UsageRecordView.model_validate(record).model_dump_json())
    renamed = {"record_id": "id", "events": "event_count"}
    for name in set(build_body()) - {"schema_version", "admitted_at_ms"}:
        assert shown[renamed.get(name, name)] == written[name], name
    assert set(written) == set(build_body())
    assert set(record.quantities) == {TokenClass(name) for name in written["quantities"]}
