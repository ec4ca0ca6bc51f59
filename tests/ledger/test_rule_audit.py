"""Audit rules on values: what no database would hold; tests/ledger/test_audit.py shows the rest on one."""

from keisan.domain.entry import FIRST_ENTRY_HASH, ChainEnd
from keisan.domain.ids import AccountId
from keisan.ledger.rule_audit import Moves, check_chain, check_postings, check_records, name_entry
from tests.domain.samples import PLATFORM_ID, PRICE_ID, build_posted, build_price, name_id
from tests.factories import PUBLIC_KEY, build_entry

ENTRY = build_entry()
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
