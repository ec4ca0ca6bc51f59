"""Bodies of the letters of credit: read as they were written, with what is not known passed over, and refused beyond bounds."""

import json
from typing import Any

import pytest

from keisan.domain.call_limits import CallLimits
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import OrganizationId
from keisan.domain.limits import ADMISSION_KEYS_MAX, LETTER_NAME_CHARACTERS_MAX, PINNED_PRICES_MAX
from keisan.domain.price import PRICE_NANO_MAX, TokenClass
from keisan.kit.ids import create_id
from keisan.wire.base import TOLD_INSTANT_MS_MAX
from keisan.wire.credit_letter import (
    AdmissionBody,
    AdmittedKeyBody,
    AdmittedProjectBody,
    LeaseBody,
    LimitsBody,
    ReturnBody,
    WordBody,
    name_admission,
    name_credit,
    read_admission,
    read_lease,
    read_limits,
    read_nano,
    read_prices,
    read_return,
    read_word,
    write_body,
    write_limits,
    write_prices,
)
from tests.domain.credit_samples import OTHER_ID, PINNED

OWNER = OrganizationId(create_id())
LEASE = LeaseBody(
    ticket_id=create_id(),
    organization_id=OWNER,
    currency="CNY",
    policy="region in CN-SX",
    prices=write_prices([PINNED]),
    ceiling_nano="123456789012345678901234567",
    lease_s=345_600,
    number=3,
    answers_at_ms=1_790_000_000_000,
    epoch=2,
)
WORD = WordBody(organization_id=OWNER, currency="CNY", sent_at_ms=1, prices=write_prices([PINNED]))
RETURNED = ReturnBody(ticket_id=create_id(), organization_id=OWNER, currency="CNY", returned_nano="7", spent_nano="8")
PROJECT = AdmittedProjectBody(id=create_id(), name="default", limits=LimitsBody(calls_open_max=3))
KEY = AdmittedKeyBody(id=create_id(), project_id=PROJECT.id, name="k", digest="ab" * 32, models=("small",))
ADMISSION = AdmissionBody(
    organization_id=OWNER, name="o", currency="CNY", time_zone="Asia/Shanghai", projects=(PROJECT,), keys=(KEY,)
)
BODIES = [(LEASE, read_lease), (WORD, read_word), (RETURNED, read_return), (ADMISSION, read_admission)]


def change(body: Any, **changes: Any) -> bytes:
    return json.dumps(json.loads(write_body(body)) | changes).encode()


@pytest.mark.parametrize(("body", "read"), BODIES)
def test_body_is_read_as_it_was_written_whatever_a_newer_platform_adds(body: Any, read: Any) -> None:
    assert read(write_body(body)) == body
    assert read(change(body, added={"by": "a newer release"})) == body
    for broken in (b"", b"[]", b"{}", b"\xff", b"[" * 10_000):
        with pytest.raises(InvalidInput):
            read(broken)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.5", "1e3", "\u0663", "9" * 29, " 1"])
def test_amount_is_a_whole_number_that_can_be_stored(text: str) -> None:
    for body, name, read in [
        (LEASE, "ceiling_nano", read_lease),
        (WORD, "spent_nano", read_word),
        (WORD, "wanted_nano", read_word),
        (RETURNED, "returned_nano", read_return),
        (RETURNED, "spent_nano", read_return),
    ]:
        with pytest.raises(InvalidInput):
            read(change(body, **{name: text}))
    assert read_nano("0") == 0


@pytest.mark.parametrize("number", [-1, 2**63])
def test_counts_and_currencies_are_what_can_be_stored(number: int) -> None:
    for name in ("lease_s", "number", "answers_at_ms", "epoch"):
        with pytest.raises(InvalidInput):
            read_lease(change(LEASE, **{name: number}))
    for name in ("sent_at_ms", "number", "epoch"):
        with pytest.raises(InvalidInput):
            read_word(change(WORD, **{name: number}))
    for late in ({"answers_at_ms": TOLD_INSTANT_MS_MAX + 1}, {"lease_s": TOLD_INSTANT_MS_MAX}):
        with pytest.raises(InvalidInput):
            read_lease(change(LEASE, **late))
    with pytest.raises(InvalidInput):
        read_word(change(WORD, sent_at_ms=TOLD_INSTANT_MS_MAX + 1))
    for currency in ("cny", "CN", "CNYX", "C1Y", "\u00c9UR"):
        for body, read in ((LEASE, read_lease), (WORD, read_word), (ADMISSION, read_admission)):
            with pytest.raises(InvalidInput):
                read(change(body, currency=currency))


def test_prices_are_told_without_homes_own_and_unknown_classes_are_left_out() -> None:
    (told,) = read_prices(LEASE.prices)
    assert told.home_nano_per_million is None
    assert (told.price_id, told.model, told.nano_per_million) == (PINNED.price_id, "small", PINNED.nano_per_million)
    assert b"home" not in write_body(LEASE)
    body = json.loads(write_body(LEASE))
    body["prices"][0]["nano_per_million"] |= {"smell": "7"}
    assert read_prices(read_lease(json.dumps(body).encode()).prices)[0].nano_per_million == PINNED.nano_per_million
    body["prices"][0]["nano_per_million"] = {"output": str(PRICE_NANO_MAX + 1)}
    with pytest.raises(InvalidInput):
        read_prices(read_lease(json.dumps(body).encode()).prices)
    with pytest.raises(InvalidInput):
        read_prices(LEASE.prices * (PINNED_PRICES_MAX + 1))
    assert TokenClass.OUTPUT in told.nano_per_million


def test_key_has_a_digest_and_a_project_of_its_admission() -> None:
    key = json.loads(write_body(KEY))
    for broken in (key | {"digest": "AB" * 32}, key | {"digest": "ab"}, key | {"project_id": str(create_id())}):
        with pytest.raises(InvalidInput):
            read_admission(change(ADMISSION, keys=[broken]))
    with pytest.raises(InvalidInput):
        read_admission(change(ADMISSION, keys=[key] * (ADMISSION_KEYS_MAX + 1)))


def test_limits_are_read_as_they_were_told() -> None:
    limits = CallLimits(requests_per_minute=7, body_bytes_max=9)
    assert read_limits(write_limits(limits)) == limits
    for bound in (0, 2**63):
        with pytest.raises(InvalidInput):
            read_limits(LimitsBody(calls_open_max=bound))


def test_registers_for_several_platforms_have_names_of_their_own() -> None:
    first, second = (name_credit(OWNER, "CNY", other) for other in (OTHER_ID, "cd" * 32))  # type: ignore[arg-type]  # an id
    assert first != second
    assert len(first) < LETTER_NAME_CHARACTERS_MAX
    assert name_admission(OWNER, OTHER_ID) == f"{OWNER}/{OTHER_ID}"
