"""An account is one by its key."""

from keisan.domain.account import Account, AccountKey, AccountKind
from keisan.domain.ids import AccountId
from keisan.kit.ids import create_id
from tests.domain.credit_samples import OTHER_ID
from tests.factories import NOW, PLATFORM_ID


def test_account_names_its_key() -> None:
    kind = AccountKind.PLATFORM_PAYABLE
    account = Account(AccountId(create_id()), PLATFORM_ID, kind, None, None, "CNY", 7, NOW, OTHER_ID)
    assert account.key == AccountKey(kind, None, None, "CNY", OTHER_ID)
