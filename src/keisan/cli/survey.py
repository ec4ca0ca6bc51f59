"""`keisan surveys`: statistics of facilities that are not connected, with their sources."""

from datetime import datetime
from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.csv_upload import CsvOption, FileArgument, describe_upload, read_table
from keisan.cli.session import Session
from keisan.kit.units import format_gflops
from keisan.sdk import SurveyLineView, SurveyWithdraw
from keisan.wire.csv_file import write_csv
from keisan.wire.survey import SURVEY_CSV, SurveyLineWrite

UNKNOWN = "unknown"
COLUMNS = ("region", "owner", "chip", "devices", "standard racks", "throughput", "date", "grade", "source")
SourceArgument = Annotated[str, typer.Argument(help="The survey's source, as `keisan surveys list` shows it.")]
DateArgument = Annotated[datetime, typer.Argument(help="The survey's date.", formats=["%Y-%m-%d"])]


async def list_surveys(session: Session, is_csv: CsvOption = False) -> None:
    """List the lines of all surveys. Of each source only its newest date counts in `keisan capacity`."""
    found = [line async for line in session.keisan.surveys.list()]
    if is_csv:
        session.output.show_text(write_csv(SURVEY_CSV, map(_build_line, found)), end="")
        return
    rows = [
        (
            line.region,
            line.owner,
            line.chip or UNKNOWN,
            UNKNOWN if line.device_count is None else line.device_count,
            UNKNOWN if line.standard_racks is None else line.standard_racks,
            ", ".join(f"{name} {format_gflops(amount)}" for name, amount in line.gflops.items()) or UNKNOWN,
            line.date,
            line.grade,
            line.source,
        )
        for line in found
    ]
    session.output.show_views(found, COLUMNS, rows)


async def upload_surveys(session: Session, file: FileArgument) -> None:
    """Hand in surveys; each (source and date) replaces what was stored of it. `list --csv` shows the columns."""
    answer = await session.keisan.surveys.upload(read_table(file))
    session.output.show_view(answer, describe_upload(answer))


async def withdraw_survey(session: Session, source: SourceArgument, day: DateArgument) -> None:
    """Delete a survey."""
    answer = await session.keisan.surveys.withdraw(SurveyWithdraw(source=source, date=day.date()))
    session.output.show_view(answer, f"{answer.deleted_count} deleted")


def _build_line(line: SurveyLineView) -> SurveyLineWrite:
    return SurveyLineWrite(**{name: getattr(line, name) for name in SurveyLineWrite.model_fields})


def add_commands(application: typer.Typer) -> None:
    """Add surveys list, upload and withdraw."""
    group = typer.Typer(help="Facilities that are not connected.", no_args_is_help=True)
    add_command(group, "list", list_surveys)
    add_command(group, "upload", upload_surveys)
    add_command(group, "withdraw", withdraw_survey)
    application.add_typer(group, name="surveys")
