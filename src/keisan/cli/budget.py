"""`keisan budgets`: make, list, change and delete bounds on what an organization, a project or a key may spend."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.key import choose_project, wait_for_newest
from keisan.cli.organization import choose_organization
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput
from keisan.kit.units import format_nano, parse_nano
from keisan.sdk import BudgetCreate, BudgetView, PeriodKind
from keisan.wire.base import explain_refusal

BudgetArgument = Annotated[UUID, typer.Argument(help="The budget's id, from `keisan budgets list`.")]
AmountArgument = Annotated[str, typer.Argument(help="How much, for example 250 or 0.5.")]
CurrencyArgument = Annotated[str, typer.Argument(help="Of which currency, for example CNY.")]
COLUMNS = ("id", "holder", "amount", "period", "spent", "held")


@dataclass(frozen=True, slots=True)
class HolderOptions:
    """Whose budget it is: one of these, or else the whole organization of the one who asks."""

    organization: Annotated[str | None, typer.Option(help="Name or id of an organization.")] = None
    project: Annotated[str | None, typer.Option(help="Name or id of a project.")] = None
    key_id: Annotated[UUID | None, typer.Option(help="Id of a key, from `keisan keys list`.")] = None


@dataclass(frozen=True, slots=True)
class PeriodOptions:
    """For how long the amount is."""

    period: Annotated[PeriodKind, typer.Option(help="A calendar month, a rolling window, or for ever.")] = (
        PeriodKind.MONTH
    )
    window_s: Annotated[int | None, typer.Option(metavar="SECONDS", help="Length of a rolling window.")] = None


async def list_budgets(session: Session) -> None:
    """List budgets with what is spent in the present period, and what gateways hold now."""
    budgets = [budget async for budget in session.keisan.budgets.list()]
    session.output.show_views(budgets, COLUMNS, [_build_row(budget) for budget in budgets])


async def create_budget(
    session: Session, amount: AmountArgument, currency: CurrencyArgument, holder: HolderOptions, period: PeriodOptions
) -> None:
    """Bound what a holder may spend in a period; calls are bound by it when the command returns."""
    amount_nano = _parse_amount(amount)
    organization = await choose_organization(session, holder.organization) if holder.organization else None
    project = await choose_project(session, holder.project) if holder.project else None
    with explain_refusal():
        body = BudgetCreate(
            currency=currency,
            amount_nano=amount_nano,
            period=period.period,
            window_s=period.window_s,
            organization_id=organization.id if organization else None,
            project_id=project.id if project else None,
            key_id=holder.key_id,
        )
    made = await session.keisan.budgets.create(body)
    await wait_for_newest(session, "calls are bound by it once they do")
    session.output.show_view(made, _describe_budget(made))


async def update_budget(session: Session, budget_id: BudgetArgument, amount: AmountArgument) -> None:
    """Change a budget's amount."""
    amount_nano = _parse_amount(amount)
    changed = await session.keisan.budgets.update(await session.keisan.budgets.get(budget_id), amount_nano)
    session.output.show_view(changed, _describe_budget(changed))


async def delete_budget(session: Session, budget_id: BudgetArgument) -> None:
    """Delete a budget, and forget what was spent of it."""
    deleted = await session.keisan.budgets.delete(await session.keisan.budgets.get(budget_id))
    await wait_for_newest(session, "calls may be bound by it until they do")
    session.output.show_view(deleted, f"the budget {deleted.id} is deleted")


def _parse_amount(text: str) -> int:
    try:
        return parse_nano(text)
    except ValueError as fault:
        raise InvalidInput(str(fault), "AMOUNT") from fault


def _build_row(budget: BudgetView) -> Sequence[object]:
    return (
        budget.id,
        _describe_holder(budget),
        format_nano(budget.amount_nano, budget.currency),
        _describe_period(budget),
        format_nano(budget.spent_nano, budget.currency),
        format_nano(budget.held_nano, budget.currency),
    )


def _describe_budget(budget: BudgetView) -> str:
    amount = format_nano(budget.amount_nano, budget.currency)
    return f"{budget.id}: {amount} ({_describe_period(budget)}) for {_describe_holder(budget)}"


def _describe_holder(budget: BudgetView) -> str:
    if budget.key_id is not None:
        return f"key {budget.key_id}"
    return f"organization {budget.organization_id}" if budget.project_id is None else f"project {budget.project_id}"


def _describe_period(budget: BudgetView) -> str:
    return f"every {budget.window_s} s" if budget.window_s is not None else str(budget.period)


def add_commands(application: typer.Typer) -> None:
    """Add budgets list, create, update and delete."""
    group = typer.Typer(help="Budgets of organizations, projects and keys.", no_args_is_help=True)
    add_command(group, "list", list_budgets)
    add_command(group, "create", create_budget)
    add_command(group, "update", update_budget)
    add_command(group, "delete", delete_budget)
    application.add_typer(group, name="budgets")
