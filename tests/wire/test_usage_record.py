"""Usage records: what the relay wrote is read whole, and whatever else comes is InvalidInput and nothing worse."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId, TicketId
from keisan.domain.price import TokenClass
from keisan.domain.usage import Crossing, UsageRecord
from keisan.wire.usage import show_record
from keisan.wire.usage_record import USAGE_RECORD_BYTES_MAX, RecordParser, parse_usage_record
from tests.domain.samples import RECORD_ID, build_posted, build_record, name_id
from tests.wire.records import build_body, build_line

GOLDEN = Path(__file__).parents[1] / "golden" / "usage_record.json"
GOLDEN_CROSSING = GOLDEN.with_name("usage_record_crossing.json")
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)


def test_every_field_is_read() -> None:
    line = build_line()
    expected = build_record(content_digest=hashlib.sha256(line).digest())
    assert parse_usage_record(line) == expected


def test_record_of_a_call_that_crossed_names_both_platforms_and_the_ticket() -> None:
    crossing = parse_usage_record(GOLDEN_CROSSING.read_bytes().rstrip(b"\n")).crossing
    assert crossing == Crossing(
        home_platform_id=PlatformId("ab" * 32),
        serving_platform_id=PlatformId("cd" * 32),
        ticket_id=TicketId(name_id(1, 0x10D)),
    )
    assert parse_usage_record(build_line()).crossing is None


@pytest.mark.parametrize("changes", [{"home_platform_id": "ab"}, {"ticket_id": "x"}, {"serving_platform_id": None}])
def test_crossing_that_is_none_is_refused(changes: dict[str, object]) -> None:
    crossing = {"home_platform_id": "ab" * 32, "serving_platform_id": "cd" * 32, "ticket_id": str(RECORD_ID)}
    assert parse_usage_record(build_line(crossing=crossing)).crossing is not None
    with pytest.raises(InvalidInput):
        parse_usage_record(build_line(crossing=crossing | changes))


def test_digest_is_of_the_bytes_and_not_of_their_meaning() -> None:
    line = build_line()
    same = [line, line + b"\r", b" " + line, json.dumps(build_body(), indent=1).encode()]
    assert len({parse_usage_record(each).content_digest for each in same}) == len(same)


def test_fields_of_later_relays_are_ignored() -> None:
    assert parse_usage_record(build_line(attempt_id="a1")).event_count == 12


@pytest.mark.parametrize("name", sorted(set(build_body()) - {"ticket_id"}))
def test_missing_field_is_refused(name: str) -> None:
    body = build_body()
    del body[name]
    with pytest.raises(InvalidInput, match="not a usage record"):
        parse_usage_record(json.dumps(body).encode())


def test_record_of_a_relay_that_knew_no_tickets_has_none() -> None:
    body = build_body()
    del body["ticket_id"]
    assert parse_usage_record(json.dumps(body).encode()).ticket_id is None
    assert parse_usage_record(build_line(ticket_id=None)).ticket_id is None
    assert parse_usage_record(build_line(ticket_id=str(RECORD_ID))).ticket_id == RECORD_ID


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
        {"amount_nano": 30500},
        {"amount_nano": "030500"},
        {"amount_nano": " 30500"},
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
        parse_usage_record(build_line(**changes))


@pytest.mark.parametrize(
    "line", [b"", b"null", b"[]", b"{}", b"\x00", b"\xff", b"\xed\xa0\x80", b'{"a":"\\ud800"}', b"{"]
)
def test_line_that_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_usage_record(line)


# What the relay puts in place of a line end within a record is the last one here.
@pytest.mark.parametrize("foreign", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\x0b"], ids=repr)
@pytest.mark.parametrize("place", [b'{"a":"%b",', b'{"%b":1,', b'{"a":[{"b":"%b"}],', b"%b{", b'{"a":%b1,'], ids=repr)
def test_foreign_bytes_are_refused_wherever_they_stand(place: bytes, foreign: bytes) -> None:
    good, bad = (build_line().replace(b"{", place.replace(b"%b", own), 1) for own in (b"", foreign))
    assert parse_usage_record(good).event_count == 12
    with pytest.raises(InvalidInput):
        parse_usage_record(bad)


@given(st.binary())
def test_no_bytes_do_worse_than_being_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_usage_record(line)


@given(name=st.sampled_from(list(build_body())), value=JSON_VALUES)
def test_no_value_of_any_field_does_worse_than_being_refused(name: str, value: object) -> None:
    try:
        record = parse_usage_record(build_line(**{name: value}))
    except InvalidInput:
        return
    assert record.amount_nano >= 0
    assert all(quantity >= 0 for quantity in record.quantities.values())


def test_size_is_bounded_in_bytes() -> None:
    room = USAGE_RECORD_BYTES_MAX - len(build_line(padding=""))
    assert parse_usage_record(build_line(padding="a" * room)).event_count == 12
    with pytest.raises(InvalidInput, match="4096 bytes, got 4097"):
        parse_usage_record(build_line(padding="a" * (room + 1)))


def test_nul_that_postgresql_could_not_hold_is_replaced() -> None:
    assert parse_usage_record(build_line(model_digest="sha256:\x00")).context.model_digest == "sha256:\ufffd"


def test_amount_beyond_doubles_crosses_both_ways_exactly() -> None:
    record = parse_usage_record(build_line(amount_nano="9007199254740993"))
    shown = show_record(build_posted(record))
    assert shown.amount_nano == 2**53 + 1
    assert '"amount_nano":"9007199254740993"' in shown.model_dump_json()


@pytest.mark.skipif(not GOLDEN.exists(), reason="tests/golden/usage_record.json is written by the relay's tests")
def test_golden_record_of_the_relay_parses_field_by_field() -> None:
    line = GOLDEN.read_bytes().strip()
    written = json.loads(line)
    record = parse_usage_record(line)
    shown = json.loads(show_record(build_posted(record)).model_dump_json())
    renamed = {"record_id": "id", "events": "event_count"}
    for name in set(build_body()) - {"schema_version", "admitted_at_ms"}:
        assert shown[renamed.get(name, name)] == written[name], name
    assert set(written) == set(build_body())
    assert set(record.quantities) == {TokenClass(name) for name in written["quantities"]}


def write_lines(**changes: object) -> tuple[bytes, bytes]:
    """Return a record as the relay writes it, without white space, and the same with some: that one is read whole."""
    body = build_body(**changes)
    record_id = {"record_id": body.pop("record_id")}
    shared = {name: body.pop(name) for name in (*SHARED, "model_digest")}
    ordered = shared | record_id | body
    return json.dumps(ordered, separators=(",", ":")).encode(), json.dumps(ordered).encode()


SHARED = (
    "schema_version",
    "platform_id",
    *(name for name in build_body() if name.endswith("_id") and name not in {"record_id", "platform_id", "ticket_id"}),
)


@given(name=st.sampled_from(list(build_body())), value=JSON_VALUES)
def test_record_read_in_parts_is_as_it_is_read_whole(name: str, value: object) -> None:
    parser = RecordParser()
    outcomes: list[UsageRecord | None] = []
    for line in (*write_lines(), *write_lines(**{name: value})):
        try:
            outcomes.append(parser.parse(line)._replace(content_digest=b""))
        except InvalidInput:
            outcomes.append(None)
    assert outcomes[0] == outcomes[1] is not None
    assert outcomes[2] == outcomes[3]


@pytest.mark.parametrize("name", ["key_id", "schema_version", "amount_nano", "later_field"])
def test_member_that_stands_in_both_parts_means_what_it_means_in_the_whole(name: str) -> None:
    value = {"key_id": str(name_id(3, 9)), "schema_version": 2, "amount_nano": "7", "later_field": 1}[name]
    line, _ = write_lines()
    member = f',"{name}":{json.dumps(value)}'.encode()
    for changed in (line[:-1] + member + b"}", line.replace(b',"record_id"', member + b',"record_id"', 1)):
        whole = json.dumps(json.loads(changed)).encode()
        found: list[UsageRecord | None] = []
        for each in (changed, whole):
            try:
                found.append(parse_usage_record(each)._replace(content_digest=b""))
            except InvalidInput:
                found.append(None)
        assert found[0] == found[1]


def test_what_records_share_is_read_once() -> None:
    parser = RecordParser()
    first, second = parser.parse(write_lines()[0]), parser.parse(write_lines(events=13)[0])
    assert first.context is second.context
    assert first != second
