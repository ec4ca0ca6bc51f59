"""`keisan forecast`: what the running month will come to, and which budgets it will use up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.key import choose_project
from keisan.cli.organization import choose_organization
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput
from keisan.kit.units import NANO_PER_UNIT, format_nano, format_percent
from keisan.sdk import (
    BudgetForecastView,
    BudgetOutlook,
    ForecastMethod,
    ForecastQuery,
    ForecastRange,
    ForecastView,
    OrganizationView,
)

COLUMNS = ("currency", "spent", "expected", "from", "to", "made of")
BUDGET_COLUMNS = ("budget", "of", "amount", "spent", "expected", "outlook")
# A range says no more than its first digits; what is spent is told exactly.
DIGITS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class HolderOptions:
    """Whose month it is: a project's or a key's, else the whole organization's."""

    organization: Annotated[str | None, typer.Option(help="Name or id; needed if you see several.")] = None
    project: Annotated[str | None, typer.Option(help="Name or id of a project of it.")] = None
    key_id: Annotated[UUID | None, typer.Option(help="Id of a key of it, from `keisan keys list`.")] = None


async def show_forecast(session: Session, holder: HolderOptions) -> None:
    """Show what the running month will come to, as a range, and which budgets it will use up."""
    owner = await _find_organization(session, holder.organization)
    project = await choose_project(session, holder.project) if holder.project else None
    query = ForecastQuery(project_id=project.id if project else None, key_id=holder.key_id)
    found = await session.keisan.forecasts.get(owner.id, query)
    budgets = [line async for line in session.keisan.forecasts.list_budgets(owner.id) if _is_within(line, found)]
    if session.output.is_json:
        lines = [line.model_dump(mode="json") for line in budgets]
        session.output.show_json(found.model_dump(mode="json") | {"budgets": lines})
        return
    show = session.output.show_text
    name = project.name if project else f"key {holder.key_id}" if holder.key_id else owner.name
    show(f"{name}: {found.first_day} to {found.last_day} ({found.time_zone}), as of {found.made_at:%Y-%m-%d %H:%M} UTC")
    if not found.lines:
        show("nothing was spent this month, nor in the four weeks before today")
    else:
        session.output.show_table(COLUMNS, _list_rows(found))
        covered = format_percent(found.coverage_ppm)
        show(f"{covered} of months end within the range, if days vary as they did; nothing new is foreseen")
    if budgets:
        session.output.show_table(BUDGET_COLUMNS, [_build_budget_row(line) for line in budgets])


def round_money(amount_nano: int | None, currency: str) -> str:
    """Return an amount that is not exact: whole units above a hundred, else its first digits."""
    if amount_nano is None:
        return ""
    step = min(NANO_PER_UNIT, 10 ** max(0, len(str(amount_nano)) - DIGITS_SHOWN))
    return f"~{format_nano((amount_nano + step // 2) // step * step, currency)}"


def describe_method(line: ForecastRange) -> str:
    """Return of what a forecast is made, or why there is none."""
    if line.method is ForecastMethod.NONE:
        return "no forecast: too few days"
    weeks = "1 week" if line.week_count == 1 else f"{line.week_count} weeks"
    return f"weekdays of {weeks}" if line.method is ForecastMethod.WEEKDAY else f"mean of {weeks}"


def describe_outlook(line: BudgetForecastView) -> str:
    """Return whether and when a budget will be used up."""
    match line.outlook:
        case BudgetOutlook.USED_UP:
            return "used up"
        case BudgetOutlook.EXPECTED:
            return f"used up on {line.used_up_on}"
        case BudgetOutlook.POSSIBLE:
            return f"perhaps used up on {line.used_up_on}"
        case BudgetOutlook.UNLIKELY:
            return "holds this month"
        case BudgetOutlook.UNKNOWN:
            return "not known"


def _list_rows(found: ForecastView) -> Iterator[Sequence[object]]:
    for line in found.lines:
        ends = (line.expected_nano, line.low_nano, line.high_nano)
        told = (round_money(amount_nano, line.currency) for amount_nano in ends)
        yield (line.currency, format_nano(line.spent_nano, line.currency), *told, describe_method(line))


def _build_budget_row(line: BudgetForecastView) -> Sequence[object]:
    kind = "key" if line.key_id else "project" if line.project_id else "organization"
    return (
        line.budget_id,
        f"{kind}, {line.period}",
        format_nano(line.amount_nano, line.currency),
        format_nano(line.spent_nano, line.currency),
        round_money(line.expected_nano, line.currency),
        describe_outlook(line),
    )


def _is_within(budget: BudgetForecastView, found: ForecastView) -> bool:
    """Tell whether a budget is of the holder that was asked about, or of one under it."""
    if found.key_id is not None:
        return budget.key_id == found.key_id
    return found.project_id in (None, budget.project_id)


async def _find_organization(session: Session, wanted: str | None) -> OrganizationView:
    if wanted is not None:
        return await choose_organization(session, wanted)
    found = [line async for line in session.keisan.organizations.list()]
    if len(found) != 1:
        raise InvalidInput(
            f"choose an organization; there are: {', '.join(line.name for line in found) or 'none'}", "--organization"
        )
    return found[0]


def add_commands(application: typer.Typer) -> None:
    """Add forecast."""
    add_command(application, "forecast", show_forecast)
