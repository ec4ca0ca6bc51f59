"""Audit rules on values: what no database would hold; tests/ledger/test_audit.py shows the rest on one."""

from keisan.domain.entry import (
    FIRST_ENTRY_HASH,
    ChainEnd,
    Entry,
    EntryKind,
    EntrySeal,
    hash_header,
    write_header,
)
from keisan.domain.ids import AccountId
from keisan.kit.clock import from_milliseconds, to_milliseconds
from keisan.ledger.rule_audit import Moves, check_chain, check_postings, check_records, name_entry
from tests.domain.samples import ENTRY_ID, NOW, PRICE_ID, build_posted, build_price, name_id
from tests.factories import PLATFORM_ID, PUBLIC_KEY, SIGNER, build_entry

ENTRY = build_entry()
NOW_MS = to_milliseconds(NOW)
PAIR = (AccountId(name_id(30)), AccountId(name_id(30, 2)))
BACK = (PAIR[1], PAIR[0])


def test_what_is_no_header_is_named() -> None:
    difference = check_chain(ENTRY, ChainEnd(0, FIRST_ENTRY_HASH), PLATFORM_ID, PUBLIC_KEY)
    assert difference is not None
    assert (difference.what, difference.where) == ("header", name_entry(ENTRY))


def test_record_whose_price_is_gone_is_named() -> None:
    difference = check_records(ENTRY, [build_posted()], {})
    assert difference is not None
    assert (difference.what, str(PRICE_ID) in difference.expected) == ("price", True)
    assert check_records(ENTRY, [build_posted()], {PRICE_ID: build_price()}) is None


def test_first_pair_of_accounts_that_differs_is_named() -> None:
    expected: Moves = {PAIR: (5, 1)}
    assert check_postings(ENTRY, {}, []) is None
    difference = check_postings(ENTRY, expected, [])
    assert difference is not None
    assert (difference.what, difference.expected, difference.found) == ("posting", "(5, 1)", "None")
    assert all(str(account_id) in difference.where for account_id in PAIR)
    both = check_postings(ENTRY, {**expected, BACK: (1, 1)}, [])
    assert both is not None
    assert both.where == difference.where


def seal_entry(sequence: int, previous_hash: str) -> Entry:
    """Return an entry that the platform signed, whatever it follows."""
    kind = EntryKind.OPENING if sequence == 1 else EntryKind.USAGE
    seal = EntrySeal(PLATFORM_ID, sequence, ENTRY_ID, kind, None, NOW_MS, 0, "", "", previous_hash)
    header = write_header(seal)
    signature, created_at = SIGNER.sign(header), from_milliseconds(NOW_MS)
    return Entry(ENTRY_ID, PLATFORM_ID, sequence, kind, 0, header, hash_header(header), signature, created_at)


def find_fault(entry: Entry, before: ChainEnd) -> str:
    difference = check_chain(entry, before, PLATFORM_ID, PUBLIC_KEY)
    return "" if difference is None else difference.what


def test_signed_entry_in_place_of_another_breaks_the_chain_behind_it() -> None:
    """Who has the key can sign an entry anew; the entry after it still names the one that was there."""
    first = seal_entry(1, FIRST_ENTRY_HASH)
    second = seal_entry(2, first.hash)
    assert find_fault(first, ChainEnd(0, FIRST_ENTRY_HASH)) == ""
    assert find_fault(second, ChainEnd(1, first.hash)) == ""
    other = seal_entry(1, "11" * 32)
    assert other.hash != first.hash
    assert find_fault(second, ChainEnd(1, other.hash)) == "chain"
    assert find_fault(other, ChainEnd(0, FIRST_ENTRY_HASH)) == "chain"
    assert find_fault(seal_entry(3, first.hash), ChainEnd(1, first.hash)) == "chain"
