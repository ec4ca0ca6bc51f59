"""Escrow rules: from whom tickets are leased at all, and within which bounds. Values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.domain.account import Account
from keisan.domain.budget import Budget
from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, OrganizationId, PlatformId
from keisan.domain.key import Key
from keisan.domain.organization import Billing, Organization
from keisan.domain.platform_ticket import PlatformTicket
from keisan.ledger.rule_budget import BudgetBook
from keisan.ledger.rule_platform_ticket import can_spend, count_aside_nano, count_leasable_nano
from keisan.ledger.rule_ticket import Bound


@dataclass(frozen=True, slots=True)
class EscrowFacts:
    """What decides whether tickets of some holders are leased; `budgets` are those on their paths, by their holder's id.

    `platform_tickets` are those of their organizations, of whichever side, that are not closed.
    """

    organizations: Mapping[OrganizationId, Organization]
    keys: Mapping[KeyId, Key]
    budgets: Mapping[UUID, Sequence[Budget]]
    platform_id: PlatformId
    now: datetime
    platform_tickets: Sequence[PlatformTicket] = ()

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
        if self.is_guest(holder) and not self._is_credited(holder, currency):
            return False
        on_path = [self.budgets[each] for each in holder.path if self.budgets.get(each)]
        return all(any(budget.currency == currency for budget in budgets) for budgets in on_path)

    def is_guest(self, holder: Holder) -> bool:
        """Tell whether a holder's organization is another platform's: it has no money here, but what its home leases."""
        organization = self.organizations.get(holder.organization_id)
        return organization is not None and organization.platform_id != self.platform_id

    def _is_credited(self, holder: Holder, currency: str) -> bool:
        return any(
            (each.organization_id, each.currency) == (holder.organization_id, currency) and can_spend(each, self.now)
            for each in self.platform_tickets
        )

    def _is_in_force(self, holder: Holder) -> bool:
        if holder.key_id is None:
            return True
        key = self.keys.get(holder.key_id)
        return key is not None and key.revoked_at is None


@dataclass(frozen=True, slots=True)
class SetAside:
    """What bounds holders beside their wallets: budgets, and what is leased to other platforms, or by them."""

    books: Sequence[BudgetBook]
    platform_tickets: Sequence[PlatformTicket]
    now: datetime


def build_bounds(holder: Holder, wallet: Account | None, currency: str, aside: SetAside) -> tuple[Bound, ...]:
    """Return what binds the tickets of a holder in a currency, the finest first; a wallet is given if it binds.

    What is leased to other platforms is set aside from the organization's wallet and budgets; what another one leased is added.
    """
    own = [
        each
        for each in aside.platform_tickets
        if (each.organization_id, each.currency) == (holder.organization_id, currency)
    ]
    aside_nano = sum(count_aside_nano(each) for each in own)
    leased_nano = sum(count_leasable_nano(each, aside.now) for each in own)
    whole = Holder(holder.organization_id)
    budgets = [
        Bound(
            book.budget.holder,
            book.budget.amount_nano - book.sum_present(aside.now) - (aside_nano if book.budget.holder == whole else 0),
        )
        for book in aside.books
        if book.budget.currency == currency and book.budget.holder.is_over(holder)
    ]
    wallets = [Bound(whole, wallet.balance_nano + leased_nano - aside_nano, is_wallet=True)] if wallet else []
    return tuple(sorted([*budgets, *wallets], key=lambda bound: -len(bound.holder.path)))
