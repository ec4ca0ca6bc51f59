"""Bodies of offers: read as they were written, and refused where they could not be stored."""

from typing import Any

import msgspec
import pytest

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Grade
from keisan.domain.limits import LETTER_NAME_CHARACTERS_MAX
from keisan.domain.verdict import Verdict
from keisan.wire.offer_letter import (
    OfferedFactBody,
    PlatformOfferBody,
    encode_offer,
    list_known_facts,
    name_offer,
    read_offer,
)
from tests.letters import write_register

OFFER = PlatformOfferBody(
    model="m",
    model_digest="sha256:" + "0" * 64,
    region="CN-SX",
    chip="cpu-x86-64",
    facts={"vendor": OfferedFactBody(("AMD",), "M")},
    verdict="ok",
    slots=4,
    price_id="p",
    price_version=3,
    currency="CNY",
    nano_per_million={"input": "100", "output": "300"},
)


def test_an_offer_is_read_as_it_was_written_with_fields_that_are_not_known() -> None:
    told = msgspec.json.decode(encode_offer(OFFER)) | {"colour": "red"}
    assert read_offer(write_register(body=msgspec.json.encode(told))) == OFFER


@pytest.mark.parametrize(
    "changes",
    [
        {"model": ""},
        {"slots": -1},
        {"slots": 2**63},
        {"price_version": -1},
        {"nano_per_million": {}},
        {"nano_per_million": {"input": "-1"}},
        {"nano_per_million": {"input": "9" * 20}},
        {"nano_per_million": {"input": "x"}},
        {"currency": "yuan"},
    ],
)
def test_what_could_not_be_stored_is_refused(changes: dict[str, Any]) -> None:
    body = encode_offer(msgspec.structs.replace(OFFER, **changes))
    with pytest.raises(InvalidInput):
        read_offer(write_register(body=body))


def test_what_is_no_offer_is_refused() -> None:
    with pytest.raises(InvalidInput):
        read_offer(write_register(body=b"{}"))


def test_words_of_a_newer_release_prove_nothing() -> None:
    newer = msgspec.structs.replace(
        OFFER, verdict="splendid", facts=OFFER.facts | {"advisory": OfferedFactBody((), "ZZ")}
    )
    assert newer.known_verdict is Verdict.UNKNOWN
    assert list_known_facts(newer) == {"vendor": (("AMD",), Grade("M"))}


def test_a_name_fits_whatever_a_model_is_called() -> None:
    assert len(name_offer("m" * 500, OFFER.model_digest, "CN-SX", "c")) == LETTER_NAME_CHARACTERS_MAX
