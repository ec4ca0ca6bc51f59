"""`keisan usage`: calls, tokens and cost, counted apart by where the quantities came from (R6)."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from keisan.cli.archive import DayOption, UntilOption, analyse_usage, export_usage
from keisan.cli.command import add_command, add_default
from keisan.cli.key import choose_project
from keisan.cli.model import find_model
from keisan.cli.session import Session
from keisan.domain.price import TokenClass
from keisan.kit.units import format_nano
from keisan.sdk import UsageLine, UsageQuery, UsageSummary

ProjectOption = Annotated[str | None, typer.Option(help="Name or id of a project.")]
ModelOption = Annotated[str | None, typer.Option(help="Name of a model.")]
COLUMNS = ("model", "source", "calls", "input", "cached", "output", "cost")
INPUT_CACHED = (TokenClass.INPUT_CACHED, TokenClass.INPUT_CACHE_WRITE)
OUTPUT = (TokenClass.OUTPUT, TokenClass.REASONING)


async def show_usage(
    session: Session,
    since: DayOption = None,
    until: UntilOption = None,
    project: ProjectOption = None,
    model: ModelOption = None,
) -> None:
    """Show calls, tokens and cost by model and by where the counts came from."""
    query = UsageQuery(
        since=since.date() if since else None,
        until=until.date() if until else None,
        project_id=(await choose_project(session, project)).id if project else None,
        model_id=(await find_model(session, model)).id if model else None,
    )
    summary = await session.keisan.usage.sum(query)
    if session.output.is_json:
        session.output.show_json(summary.model_dump(mode="json"))
        return
    session.output.show_text(f"usage from {summary.since} to {summary.until} (UTC)")
    session.output.show_table(COLUMNS, _list_rows(summary))


def _list_rows(summary: UsageSummary) -> Iterator[Sequence[object]]:
    for line in summary.lines:
        yield (line.model_name, line.usage_source, *_sum_cells([line], line.currency))
    currencies = sorted({line.currency for line in summary.lines})
    for currency in currencies:
        own = [line for line in summary.lines if line.currency == currency]
        if len(own) > 1:
            yield ("all", "", *_sum_cells(own, currency))


def _sum_cells(lines: Sequence[UsageLine], currency: str) -> tuple[object, ...]:
    return (
        sum(line.call_count for line in lines),
        _sum_tokens(lines, (TokenClass.INPUT,)),
        _sum_tokens(lines, INPUT_CACHED),
        _sum_tokens(lines, OUTPUT),
        format_nano(sum(line.amount_nano for line in lines), currency),
    )


def _sum_tokens(lines: Sequence[UsageLine], classes: Sequence[TokenClass]) -> int:
    return sum(line.quantities.get(token_class, 0) for line in lines for token_class in classes)


def add_commands(application: typer.Typer) -> None:
    """Add usage, and usage analyse and export."""
    group = typer.Typer()
    add_default(group, show_usage)
    add_command(group, "analyse", analyse_usage)
    add_command(group, "export", export_usage)
    application.add_typer(group, name="usage")
