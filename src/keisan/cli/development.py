"""`keisan report`: what a region, or the whole platform, came to within a month."""

from collections.abc import Iterator
from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.sdk import DevelopmentFigureView

NATION = "nation"
UNKNOWN = "unknown"
PlaceArgument = Annotated[str, typer.Argument(help=f"A region, or {NATION} for all of them.", metavar="REGION|nation")]
MonthOption = Annotated[str | None, typer.Option(help="As 2026-11; this month without it.")]


async def show_development(session: Session, place: PlaceArgument, month: MonthOption = None) -> None:
    """Show how capacity, facilities, devices and calls developed over a month, each with coverage and age."""
    view = await session.keisan.development.get(None if place == NATION else place, month)
    if session.output.is_json:
        session.output.show_json(view.model_dump(mode="json"))
        return
    session.output.show_text(f"{view.region or NATION} from {view.since} to {view.until} (UTC)")
    columns = ("figure", "unit", "first", "last", "growth", "coverage", "age")
    session.output.show_table(columns, (tuple(list_cells(each)) for each in view.figures))


def list_cells(figure: DevelopmentFigureView) -> Iterator[str]:
    """Yield what a table shows of a figure."""
    yield figure.name
    yield figure.unit
    yield from (UNKNOWN if each is None else f"{each:,}" for each in (figure.first, figure.last))
    yield UNKNOWN if figure.growth_permille is None else f"{figure.growth_permille / 10:+.1f} %"
    yield UNKNOWN if figure.coverage_permille is None else f"{figure.coverage_permille / 10:.1f} %"
    yield UNKNOWN if figure.age_s is None else _format_age(figure.age_s)


def _format_age(age_s: int) -> str:
    if age_s < 3600:
        return f"{age_s // 60} min"
    return f"{age_s // 3600} h" if age_s < 48 * 3600 else f"{age_s // 86_400} days"


def add_commands(application: typer.Typer) -> None:
    """Add the command to the application."""
    add_command(application, "report", show_development)
