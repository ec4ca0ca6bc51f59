"""Budgets and what was spent of them, step by step. Who counts on one has locked its row, after accounts and tickets."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, PrimaryKeyConstraint, Table, Text, UniqueConstraint, delete, select

from keisan.domain.access import Scope
from keisan.domain.budget import Budget, PeriodKind
from keisan.domain.errors import VersionMismatch
from keisan.domain.ids import BudgetId
from keisan.storage.repository import (
    PARAMETERS_PER_STATEMENT_MAX,
    TableRepository,
    Visibility,
    limit_to_owner,
    split_chunks,
)
from keisan.storage.schema import (
    AnyColumn,
    EnumText,
    ExactInteger,
    build_column,
    build_id,
    build_noun_columns,
    metadata,
)

budget = Table(
    "budget",
    metadata,
    *build_noun_columns(),
    build_id("organization_id", ForeignKey("organization.id")),
    build_id("project_id", ForeignKey("project.id"), is_nullable=True),
    build_id("key_id", ForeignKey("key.id"), is_nullable=True),
    build_column("currency", Text()),
    build_column("amount_nano", ExactInteger()),
    build_column("period", EnumText(PeriodKind)),
    build_column("window_s", BigInteger(), is_nullable=True),
    # The finest of the three ids: nulls are never equal, so they alone could not make a budget unique.
    build_id("holder_id"),
    UniqueConstraint("holder_id", "currency", "period"),
)
budget_step = Table(
    "budget_step",
    metadata,
    build_id("budget_id", ForeignKey("budget.id")),
    build_column("step", BigInteger()),
    build_column("spent_nano", ExactInteger()),
    PrimaryKeyConstraint("budget_id", "step"),
)


class BudgetRepository(TableRepository[Budget, BudgetId]):
    """Budgets by id and by holder, and their steps."""

    table = budget
    noun_type = Budget
    unique = "holder, currency and period"
    visibility = Visibility(organization=limit_to_owner(budget.c.organization_id))
    # A holder is given once.
    unwritten = frozenset({"organization_id", "project_id", "key_id", "holder_id"})

    def _to_row(self, noun: Budget) -> dict[str, object]:
        return {**super()._to_row(noun), "holder_id": noun.holder.id}

    def _columns(self) -> tuple[AnyColumn, ...]:
        return tuple(column for column in budget.columns if column.name != "holder_id")

    async def list_holders(self, scope: Scope, holder_ids: Iterable[UUID]) -> tuple[Budget, ...]:
        """Return the budgets of these holders."""
        found: tuple[Budget, ...] = ()
        for chunk in split_chunks(sorted(set(holder_ids)), PARAMETERS_PER_STATEMENT_MAX):
            found += await self._list_where(scope, budget.c.holder_id.in_(chunk))
        return found

    async def list_budgeted(self, scope: Scope) -> frozenset[UUID]:
        """Return the ids of all holders that have a budget."""
        statement = select(budget.c.holder_id).where(self.visibility.limit(scope)).distinct()
        return frozenset(row["holder_id"] for row in await self._connection.fetch_all(statement))

    async def lock_holders(self, holder_ids: Iterable[UUID]) -> tuple[Budget, ...]:
        """Return the budgets of these holders, locked until commit in order of id."""
        wanted = sorted(set(holder_ids))
        if not wanted:
            return ()
        # In one statement: the order of the locks must hold for all of them.
        statement = select(*self._columns()).where(budget.c.holder_id.in_(wanted)).order_by(budget.c.id)
        return tuple(Budget(**row) for row in await self._connection.fetch_locked(statement))

    async def delete(self, noun: Budget) -> None:
        """Delete a budget with what was spent of it; raises VersionMismatch unless it is as it was seen."""
        await self._connection.change(delete(budget_step).where(budget_step.c.budget_id == noun.id))
        is_seen = (budget.c.id == noun.id) & (budget.c.version == noun.version)
        if await self._connection.change(delete(budget).where(is_seen)) != 1:
            raise VersionMismatch(f"the budget {noun.id} is not at version {noun.version}")

    async def list_spent(self, scope: Scope, ids: Iterable[BudgetId]) -> Mapping[BudgetId, Mapping[int, int]]:
        """Return what was spent of these budgets by step, as far as it is kept."""
        found: dict[BudgetId, dict[int, int]] = {}
        for chunk in split_chunks(sorted(set(ids)), PARAMETERS_PER_STATEMENT_MAX):
            statement = select(*budget_step.columns).join_from(budget_step, budget)
            for row in await self._connection.fetch_all(
                statement.where(self.visibility.limit(scope), budget.c.id.in_(chunk))
            ):
                found.setdefault(row["budget_id"], {})[row["step"]] = row["spent_nano"]
        return found

    async def change_spent(self, budget_id: BudgetId, changed: Mapping[int, int], dropped: Iterable[int]) -> None:
        """Write what was spent in some steps of a budget that this transaction has locked, and forget others."""
        gone = sorted(dropped)
        if gone:
            is_gone = (budget_step.c.budget_id == budget_id) & budget_step.c.step.in_(gone)
            await self._connection.change(delete(budget_step).where(is_gone))
        if changed:
            statement = self._connection.upsert(budget_step, lambda excluded: {"spent_nano": excluded["spent_nano"]})
            rows = [{"budget_id": budget_id, "step": step, "spent_nano": nano} for step, nano in changed.items()]
            await self._connection.change(statement, rows)
