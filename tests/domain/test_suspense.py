"""Suspense: what it paid is told by one account of each currency."""

from keisan.domain.account import AccountKey, AccountKind
from tests.domain.samples import build_suspended


def test_account_is_suspense_of_the_records_currency() -> None:
    assert build_suspended(currency="JPY").account == AccountKey(AccountKind.SUSPENSE, None, None, "JPY")
