"""Escrow rules: from whom tickets are leased at all, and within which bounds. Values in, values out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.domain.account import Account
from keisan.domain.budget import Budget
from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, OrganizationId
from keisan.domain.key import Key
from keisan.domain.organization import Billing, Organization
from keisan.ledger.rule_budget import BudgetBook
from keisan.ledger.rule_ticket import Bound


@dataclass(frozen=True, slots=True)
class EscrowFacts:
    """What decides whether tickets of some holders are leased; `budgets` are those on their paths, by their holder's id."""

    organizations: Mapping[OrganizationId, Organization]
    keys: Mapping[KeyId, Key]
    budgets: Mapping[UUID, Sequence[Budget]]

    def is_prepaid(self, holder: Holder) -> bool:
        """Tell whether the wallet of a holder's organization bounds it."""
        organization = self.organizations.get(holder.organization_id)
        return organization is not None and organization.billing is Billing.PREPAID

    def is_leasable(self, holder: Holder, currency: str) -> bool:
        """Tell whether tickets of a holder are leased in a currency.

        The holder has budgets, or is a prepaid organization. Whoever on its path has budgets has one in the currency:
        nothing is exchanged, and what is not bounded is not spent.
        """
        if holder.organization_id not in self.organizations or not self._is_in_force(holder):
            return False
        is_whole_organization = holder.id == holder.organization_id
        if not self.budgets.get(holder.id) and not (is_whole_organization and self.is_prepaid(holder)):
            return False
        on_path = [self.budgets[each] for each in holder.path if self.budgets.get(each)]
        return all(any(budget.currency == currency for budget in budgets) for budgets in on_path)

    def _is_in_force(self, holder: Holder) -> bool:
        if holder.key_id is None:
            return True
        key = self.keys.get(holder.key_id)
        return key is not None and key.revoked_at is None


def build_bounds(
    holder: Holder, wallet: Account | None, books: Iterable[BudgetBook], currency: str, now: datetime
) -> tuple[Bound, ...]:
    """Return what binds the tickets of a holder in a currency, the finest first; a wallet is given if it binds."""
    budgets = [
        Bound(book.budget.holder, book.budget.amount_nano - book.sum_present(now))
        for book in books
        if book.budget.currency == currency and book.budget.holder.is_over(holder)
    ]
    wallets = [Bound(Holder(holder.organization_id), wallet.balance_nano, is_wallet=True)] if wallet else []
    return tuple(sorted([*budgets, *wallets], key=lambda bound: -len(bound.holder.path)))
