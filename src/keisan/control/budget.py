"""Commands on budgets: create, update, delete, and what is used of them. Whether a holder has any is in the snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from keisan.control.admission import tell_admissions
from keisan.control.audit import describe_changes
from keisan.control.context import Control, check_version, name_actor
from keisan.domain.access import OrganizationScope, Principal, Right, Scope
from keisan.domain.budget import Budget, check_window
from keisan.domain.errors import InvalidInput, NotFound
from keisan.domain.event import EventDraft
from keisan.domain.holder import Holder
from keisan.domain.ids import BudgetId, KeyId, OrganizationId, ProjectId
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.ids import create_id
from keisan.ledger.rule_budget import BudgetBook
from keisan.storage.base import Transaction
from keisan.wire.budget import BudgetCreate, BudgetUpdate, BudgetView


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """What was spent in the present period, and what open tickets under the holder hold."""

    spent_nano: int = 0
    held_nano: int = 0


async def create_budget(control: Control, principal: Principal, body: BudgetCreate) -> BudgetView:
    """Create a budget of the named holder, or of the asker's organization.

    Raises PermissionDenied, InvalidInput for a wrong window or not exactly one holder, NotFound when the holder lies
    outside the asker's scope, AlreadyExists when it has one of that currency and period.
    """
    principal.require(Right.WRITE_BUDGETS)
    check_window(body.period, body.window_s)
    async with control.storage.write() as transaction:
        holder = await _find_holder(transaction, principal, body)
        budget = build_budget(control, holder, body)
        is_first = not await transaction.budgets.list_holders(principal.scope, [holder.id])
        await transaction.budgets.insert(budget)
        await transaction.events.append(
            EventDraft(name_actor(principal), "budget.created", budget.id, _describe_budget(budget))
        )
        if is_first:
            await _touch_holder(transaction, holder)
            await tell_admissions(transaction, control, holder.organization_id)
        return await _show_budget(control, transaction, principal.scope, budget)


async def update_budget(
    control: Control, principal: Principal, budget_id: BudgetId, expected_version: int, body: BudgetUpdate
) -> BudgetView:
    """Change a budget's amount; raises PermissionDenied, NotFound or VersionMismatch."""
    principal.require(Right.WRITE_BUDGETS)
    async with control.storage.write() as transaction:
        stored = await transaction.budgets.get(principal.scope, budget_id)
        check_version(stored.version, expected_version)
        updated = replace(stored, amount_nano=body.amount_nano, version=stored.version + 1)
        await transaction.budgets.update(updated)
        draft = EventDraft(name_actor(principal), "budget.updated", budget_id, describe_changes(stored, updated))
        await transaction.events.append(draft)
        return await _show_budget(control, transaction, principal.scope, updated)


async def delete_budget(
    control: Control, principal: Principal, budget_id: BudgetId, expected_version: int
) -> BudgetView:
    """Delete a budget and return it as it was; raises PermissionDenied, NotFound or VersionMismatch.

    What gateways hold of a holder that has none any more is asked back, and calls that are open are still paid from it.
    """
    principal.require(Right.WRITE_BUDGETS)
    async with control.storage.write() as transaction:
        seen = await transaction.budgets.get(principal.scope, budget_id)
        # Of two that delete the last two at once, the later one must see that nothing is left.
        locked = {budget.id: budget for budget in await transaction.budgets.lock_holders([seen.holder.id])}
        if budget_id not in locked:
            raise NotFound(f"there is no budget {budget_id}")
        stored = locked[budget_id]
        check_version(stored.version, expected_version)
        shown = await _show_budget(control, transaction, principal.scope, stored)
        await transaction.budgets.delete(stored)
        await transaction.events.append(
            EventDraft(name_actor(principal), "budget.deleted", budget_id, _describe_budget(stored))
        )
        if len(locked) == 1:
            await _touch_holder(transaction, stored.holder)
            await tell_admissions(transaction, control, stored.organization_id)
    return shown


def build_budget(control: Control, holder: Holder, body: BudgetCreate) -> Budget:
    """Return a new budget that is not stored yet."""
    return Budget(
        id=BudgetId(create_id()),
        platform_id=control.platform_id,
        organization_id=holder.organization_id,
        project_id=holder.project_id,
        key_id=holder.key_id,
        currency=body.currency,
        amount_nano=body.amount_nano,
        period=body.period,
        window_s=body.window_s,
        version=1,
        created_at=control.clock.now(),
    )


async def show_budgets(
    control: Control, view: Transaction, scope: Scope, budgets: Sequence[Budget]
) -> Mapping[BudgetId, BudgetView]:
    """Return budgets as people see them, by id, with what is spent and held now."""
    owner_ids = {budget.organization_id for budget in budgets}
    time_zones = {each.id: each.time_zone for each in await view.organizations.list_by_ids(scope, owner_ids)}
    spent = await view.budgets.list_spent(scope, [budget.id for budget in budgets])
    tickets = await view.tickets.list_open(scope, owner_ids)
    shown: dict[BudgetId, BudgetView] = {}
    for budget in budgets:
        book = BudgetBook(budget, time_zones[budget.organization_id], spent.get(budget.id, {}))
        held = [each for each in tickets if each.currency == budget.currency and budget.holder.is_over(each.holder)]
        use = BudgetUse(book.sum_present(control.clock.now()), sum(ticket.held_nano for ticket in held))
        shown[budget.id] = _build_view(budget, use)
    return shown


async def _show_budget(control: Control, view: Transaction, scope: Scope, budget: Budget) -> BudgetView:
    return (await show_budgets(control, view, scope, [budget]))[budget.id]


def _build_view(budget: Budget, use: BudgetUse) -> BudgetView:
    return BudgetView(
        id=budget.id,
        platform_id=budget.platform_id,
        organization_id=budget.organization_id,
        project_id=budget.project_id,
        key_id=budget.key_id,
        currency=budget.currency,
        amount_nano=budget.amount_nano,
        period=budget.period,
        window_s=budget.window_s,
        version=budget.version,
        created_at=budget.created_at,
        spent_nano=use.spent_nano,
        held_nano=use.held_nano,
    )


async def _find_holder(transaction: Transaction, principal: Principal, body: BudgetCreate) -> Holder:
    named = [each for each in (body.organization_id, body.project_id, body.key_id) if each is not None]
    if len(named) > 1:
        raise InvalidInput("expected one holder: an organization, a project or a key", "organization_id")
    if body.key_id is not None:
        key = await transaction.keys.get(principal.scope, KeyId(body.key_id))
        return Holder(key.organization_id, key.project_id, key.id)
    if body.project_id is not None:
        project = await transaction.projects.get(principal.scope, ProjectId(body.project_id))
        return Holder(project.organization_id, project.id)
    organization = await transaction.organizations.get(principal.scope, _choose_organization(principal, named))
    return Holder(organization.id)


def _choose_organization(principal: Principal, named: Sequence[UUID]) -> OrganizationId:
    if named:
        return OrganizationId(named[0])
    if isinstance(principal.scope, OrganizationScope):
        return principal.scope.organization_id
    raise InvalidInput("a key of the whole platform must name the holder", "organization_id")


async def _touch_holder(transaction: Transaction, holder: Holder) -> None:
    if holder.key_id is not None:
        table = SnapshotTable.KEYS
    else:
        table = SnapshotTable.ORGANIZATIONS if holder.project_id is None else SnapshotTable.PROJECTS
    await transaction.snapshot.touch(table, [holder.id])


def _describe_budget(budget: Budget) -> dict[str, str]:
    return {
        "holder_id": str(budget.holder.id),
        "currency": budget.currency,
        "amount_nano": str(budget.amount_nano),
        "period": budget.period,
    }
