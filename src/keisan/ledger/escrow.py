"""Escrow in the credit exchange: holders are found by their ids, wallets and budgets are locked, bounds are made of them.

The wallet of an organization is locked for every lease of its holders, also where it does not bind: under its lock alone
tickets are opened, raised and posted against.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from uuid import UUID

from keisan.domain.access import PlatformScope
from keisan.domain.account import Account, AccountKey, AccountKind
from keisan.domain.budget import Budget
from keisan.domain.holder import Holder
from keisan.domain.ids import KeyId, OrganizationId, ProjectId
from keisan.ledger.rule_escrow import EscrowFacts
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()
# Whose credit in which currency, and the organization's wallet that it is posted to.
Escrow = tuple[Holder, str]
Wallet = tuple[OrganizationId, str]


async def find_holders(transaction: Transaction, ids: Iterable[UUID]) -> Mapping[UUID, Holder]:
    """Return the holders of these ids, as far as there are such."""
    wanted = set(ids)
    organizations = await transaction.organizations.list_by_ids(EVERYTHING, {OrganizationId(each) for each in wanted})
    found: dict[UUID, Holder] = {each.id: Holder(each.id) for each in organizations}
    projects = await transaction.projects.list_by_ids(EVERYTHING, {ProjectId(each) for each in wanted - found.keys()})
    found |= {each.id: Holder(each.organization_id, each.id) for each in projects}
    keys = await transaction.keys.list_by_ids(EVERYTHING, {KeyId(each) for each in wanted - found.keys()})
    return found | {each.id: Holder(each.organization_id, each.project_id, each.id) for each in keys}


async def load_facts(transaction: Transaction, holders: Collection[Holder], now: datetime) -> EscrowFacts:
    """Return what decides whether these holders are leased tickets."""
    owners = {each.organization_id for each in holders}
    organizations = await transaction.organizations.list_by_ids(EVERYTHING, owners)
    keys = await transaction.keys.list_by_ids(EVERYTHING, {each.key_id for each in holders if each.key_id is not None})
    on_paths = {each for holder in holders for each in holder.path}
    budgets: dict[UUID, list[Budget]] = {}
    for budget in await transaction.budgets.list_holders(EVERYTHING, on_paths):
        budgets.setdefault(budget.holder.id, []).append(budget)
    return EscrowFacts(
        organizations={each.id: each for each in organizations},
        keys={each.id: each for each in keys},
        budgets=budgets,
        platform_id=(await transaction.platform.get()).id,
        now=now,
        platform_tickets=await transaction.platform_tickets.list_open(EVERYTHING, owners),
    )


async def lock_wallets(
    transaction: Transaction, escrows: Iterable[Escrow], facts: EscrowFacts
) -> Mapping[Wallet, Account]:
    """Return the wallets of these escrows that there are, locked; those of who pays afterwards are opened first.

    So are those of organizations of other platforms, which stay empty: they are what such an organization is locked by.
    """
    wanted = {(holder.organization_id, currency): holder for holder, currency in escrows}
    await transaction.accounts.open(
        AccountKey(AccountKind.WALLET, owner_id, None, currency)
        for (owner_id, currency), holder in wanted.items()
        if not facts.is_prepaid(holder) or facts.is_guest(holder)
    )
    named = await transaction.accounts.list_wallets(EVERYTHING, {owner_id for owner_id, _ in wanted})
    locked = await transaction.accounts.lock(
        [account.id for account in named if (account.organization_id, account.currency) in wanted]
    )
    return {
        (account.organization_id, account.currency): account
        for account in locked.values()
        if account.organization_id is not None
    }
