"""`keisan usage analyse` and `keisan usage export`: months of usage, from the archive."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from keisan.cli.output import Output
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput
from keisan.domain.price import TokenClass
from keisan.kit.units import format_nano
from keisan.sdk import AnalysisKey, AnalysisQuery, ArchiveReach, ExportFormat, ExportQuery, UsageAnalysis

DayOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC), default 30 days ago.")]
UntilOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day (UTC), default today.")]
ByOption = Annotated[str, typer.Option(help=f"What to sum by, with commas: {', '.join(AnalysisKey)}.")]
FormatOption = Annotated[ExportFormat, typer.Option("--format", help="How records are written.")]
FileArgument = Annotated[Path, typer.Argument(help="The file to write.", dir_okay=False)]
SUM_COLUMNS = ("calls", *TokenClass, "cost")
PROGRESS_BYTES = 16 * 1024 * 1024


async def analyse_usage(
    session: Session, by: ByOption = AnalysisKey.MODEL, since: DayOption = None, until: UntilOption = None
) -> None:
    """Sum calls, tokens and cost by any keys, of the archive."""
    query = AnalysisQuery(by=by, since=since.date() if since else None, until=until.date() if until else None)
    analysis = await session.keisan.usage.analyse(query)
    tell_reach(session.output, analysis.reach)
    if session.output.is_json:
        session.output.show_json(analysis.model_dump(mode="json"))
        return
    session.output.show_text(f"usage from {analysis.since} to {analysis.until} (UTC)")
    session.output.show_table((*analysis.by, *SUM_COLUMNS), _list_rows(analysis))


def _list_rows(analysis: UsageAnalysis) -> Iterator[Sequence[object]]:
    for line in analysis.lines:
        group = [analysis.names.get(line.group[key], line.group[key]) for key in analysis.by]
        tokens = [line.quantities.get(token_class, 0) for token_class in TokenClass]
        yield (*group, line.call_count, *tokens, format_nano(line.amount_nano, line.currency))


async def export_usage(
    session: Session,
    file: FileArgument,
    written_as: FormatOption = ExportFormat.CSV,
    since: DayOption = None,
    until: UntilOption = None,
) -> None:
    """Write records of the archive into a file."""
    query = ExportQuery(format=written_as, since=since.date() if since else None, until=until.date() if until else None)
    progress = Progress(session.output)
    with replace_file(file) as sink:

        def write(piece: bytes) -> None:
            sink.write(piece)
            progress.count(len(piece))

        reach = await session.keisan.usage.export(query, write)
    tell_reach(session.output, reach)
    if session.output.is_json:
        told = {"file": str(file), "size_bytes": progress.written_bytes, "reach": reach.model_dump(mode="json")}
        session.output.show_json(told)
    else:
        session.output.show_text(f"{file}: {progress.written_bytes:,} bytes")


@contextmanager
def replace_file(file: Path) -> Iterator[BinaryIO]:
    """Give a file to write, which is in its place only once it is whole; raises InvalidInput if it cannot be."""
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("wb") as sink:
            yield sink
        partial.replace(file)
    except OSError as fault:
        raise InvalidInput(f"{file} cannot be written: {fault.strerror}", "FILE") from fault
    finally:
        partial.unlink(missing_ok=True)


class Progress:
    """Tells now and then how much of a file has come."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.written_bytes = 0

    def count(self, size_bytes: int) -> None:
        """Add what has come."""
        before = self.written_bytes // PROGRESS_BYTES
        self.written_bytes += size_bytes
        if self.written_bytes // PROGRESS_BYTES > before:
            self._output.tell(f"{self.written_bytes / 1024**2:,.0f} MiB")


def tell_reach(output: Output, reach: ArchiveReach) -> None:
    """Say beside the answer if the newest records are not in it."""
    if reach.is_current:
        return
    until = "nothing yet" if reach.reached_at is None else f"{reach.reached_at:%Y-%m-%d %H:%M:%S} (UTC)"
    output.tell(f"the archive reaches to {until}, entry {reach.sequence}: newer records are not in this")
