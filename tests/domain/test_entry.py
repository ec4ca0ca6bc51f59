"""Headers of entries: one text for one meaning, and nothing else is one."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.account import Posting
from keisan.domain.entry import (
    FIRST_ENTRY_HASH,
    EntryKind,
    EntrySeal,
    digest_postings,
    hash_header,
    read_header,
    write_header,
)
from keisan.domain.errors import InvalidInput
from keisan.domain.ids import AccountId
from tests.domain.samples import ENTRY_ID, NOW, PLATFORM_ID, name_id

SEAL = EntrySeal(
    platform_id=PLATFORM_ID,
    sequence=7,
    entry_id=ENTRY_ID,
    kind=EntryKind.USAGE,
    noun_id=None,
    created_at_ms=1_795_424_400_000,
    record_count=3,
    records_root="ab" * 32,
    postings_digest="cd" * 32,
    previous_hash=FIRST_ENTRY_HASH,
)
OTHERS: dict[str, Any] = {
    "platform_id": "ef" * 32,
    "sequence": 8,
    "entry_id": name_id(16, 2),
    "kind": EntryKind.TOP_UP,
    "noun_id": name_id(1),
    "created_at_ms": 0,
    "record_count": 4,
    "records_root": "",
    "postings_digest": "",
    "previous_hash": "11" * 32,
}


@given(st.builds(EntrySeal, **{name: st.sampled_from([getattr(SEAL, name), other]) for name, other in OTHERS.items()}))
def test_header_is_read_as_it_was_written(seal: EntrySeal) -> None:
    assert read_header(write_header(seal)) == seal


def test_every_field_is_sealed() -> None:
    assert set(OTHERS) == {field.name for field in fields(EntrySeal)}
    hashes = {hash_header(write_header(replace(SEAL, **{name: other}))) for name, other in OTHERS.items()}
    assert len(hashes | {hash_header(write_header(SEAL))}) == len(OTHERS) + 1


def change(**changes: object) -> bytes:
    return json.dumps(json.loads(write_header(SEAL)) | changes, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"schema":"keisan.entry.1"}',
        b" " + write_header(SEAL),
        write_header(SEAL) + b"\n",
        change(schema="keisan.entry.2"),
        change(kind="gift"),
        change(entry_id="one"),
        change(noun_id=7),
        change(more=1),
        json.dumps(json.loads(write_header(SEAL))).encode(),
        json.dumps(json.loads(write_header(SEAL)), sort_keys=True, separators=(",", ":")).encode(),
    ],
)
def test_other_texts_are_no_headers(header: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_header(header)


def build_posting(
    debit: int, credit: int, amount_nano: int = 5, record_count: int = 1, currency: str = "CNY"
) -> Posting:
    pair = (AccountId(name_id(20, debit)), AccountId(name_id(20, credit)))
    return Posting(ENTRY_ID, *pair, currency, amount_nano, record_count, NOW)


def test_digest_of_postings_is_the_same_in_any_order_and_of_all_they_say() -> None:
    first, second = build_posting(1, 2), build_posting(1, 3)
    assert digest_postings([first, second]) == digest_postings([second, first])
    others = [
        [first],
        [first, first],
        [first, build_posting(3, 1)],
        [first, build_posting(1, 3, 6)],
        [first, build_posting(1, 3, 5, 2)],
        [first, build_posting(1, 3, currency="JPY")],
        [],
    ]
    assert len({digest_postings([first, second]), *map(digest_postings, others)}) == len(others) + 1


def test_entry_in_which_nothing_moved_has_a_digest() -> None:
    assert len(bytes.fromhex(digest_postings([]))) == 32
