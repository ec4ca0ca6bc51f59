"""Budgets as the ledger reads and writes them: under the lock of their rows, after accounts and tickets."""

from collections.abc import Iterable, Sequence

from keisan.domain.access import PlatformScope
from keisan.domain.holder import Holder
from keisan.ledger.rule_budget import BudgetBook
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


async def lock_books(transaction: Transaction, holders: Iterable[Holder]) -> tuple[BudgetBook, ...]:
    """Return the budgets on the paths of holders with what was spent of them, locked until commit in order of id."""
    budgets = await transaction.budgets.lock_holders({each for holder in holders for each in holder.path})
    if not budgets:
        return ()
    owners = await transaction.organizations.list_by_ids(EVERYTHING, {budget.organization_id for budget in budgets})
    time_zones = {owner.id: owner.time_zone for owner in owners}
    spent = await transaction.budgets.list_spent(EVERYTHING, [budget.id for budget in budgets])
    return tuple(BudgetBook(budget, time_zones[budget.organization_id], spent.get(budget.id, {})) for budget in budgets)


async def write_books(transaction: Transaction, before: Sequence[BudgetBook], after: Sequence[BudgetBook]) -> None:
    """Write what changed of books that this transaction has locked."""
    for old, new in zip(before, after, strict=True):
        changed = {
            step: spent_nano
            for step, spent_nano in new.spent_by_step.items()
            if old.spent_by_step.get(step) != spent_nano
        }
        dropped = old.spent_by_step.keys() - new.spent_by_step.keys()
        if changed or dropped:
            await transaction.budgets.change_spent(new.budget.id, changed, dropped)
