"""`keisan statement`: list, show and export statements, close a month, and check one without the platform."""

from collections.abc import AsyncIterator, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.kit.units import format_nano
from keisan.sdk import (
    CloseOutcome,
    ClosingState,
    ClosingView,
    HolderKind,
    PreviewQuery,
    SignedStatement,
    StatementClose,
    StatementDetail,
    StatementRecordView,
    StatementView,
    verify_statement,
)

StatementArgument = Annotated[UUID, typer.Argument(help="The statement's id, from `keisan statement list`.")]
PeriodArgument = Annotated[str, typer.Argument(metavar="MONTH", help="For example 2026-11.")]
PeriodOption = Annotated[str | None, typer.Option("--period", metavar="MONTH", help="Default: this month.")]
KindArgument = Annotated[HolderKind, typer.Argument(help="Whose: a customer's or a provider's.")]
HolderArgument = Annotated[UUID, typer.Argument(help="The id of the organization or provider.")]
CurrencyArgument = Annotated[str, typer.Argument(help="In which currency, for example CNY.")]
HolderOption = Annotated[UUID | None, typer.Option("--holder", help="Of one organization or provider only.")]
OutputArgument = Annotated[Path, typer.Argument(help="The file to write.")]
FileArgument = Annotated[Path, typer.Argument(help="A file from `keisan statement export --form json`.")]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until all of them are closed.")]
RecordsOption = Annotated[
    Path | None,
    typer.Option("--records", help="Write the records' leaves as well, one a line, to check the root with."),
]
LeavesArgument = Annotated[Path, typer.Argument(help="A file from `keisan statement export --records`.")]


class Form(StrEnum):
    """What a statement is written as."""

    JSON = "json"
    CSV = "csv"
    HTML = "html"


FormOption = Annotated[Form, typer.Option(help="json is the signed document.")]


async def list_statements(session: Session) -> None:
    """List closed statements."""
    found = [line async for line in session.keisan.statements.list()]
    rows = [
        (line.id, f"{line.first_day:%Y-%m}", line.holder_kind, line.holder_id, line.record_count, _show_amount(line))
        for line in found
    ]
    session.output.show_views(found, ("id", "month", "kind", "holder", "calls", "amount"), rows)


async def show_statement(session: Session, statement_id: StatementArgument) -> None:
    """Show a closed statement with its lines."""
    _show_detail(session, await session.keisan.statements.get(statement_id))


async def draw_open_statement(
    session: Session,
    kind: KindArgument,
    holder_id: HolderArgument,
    currency: CurrencyArgument,
    period: PeriodOption = None,
) -> None:
    """Show an open statement, as it would be if nothing more came."""
    query = PreviewQuery(holder_kind=kind, holder_id=holder_id, currency=currency, period=period)
    _show_detail(session, await session.keisan.statements.preview(query))


async def export_statement(
    session: Session,
    statement_id: StatementArgument,
    output: OutputArgument,
    form: FormOption = Form.JSON,
    records: RecordsOption = None,
) -> None:
    """Write a closed statement to a file: the signed document, CSV, or a page that prints on A4."""
    statements = session.keisan.statements
    if form is Form.CSV:
        content = await statements.get_csv(statement_id)
    elif form is Form.HTML:
        content = await statements.get_html(statement_id)
    else:
        content = (await statements.get_signed(statement_id)).model_dump_json(indent=1).encode()
    _write_file(output, content)
    if records is not None:
        await _write_leaves(records, statements.list_records(statement_id))
    if session.output.is_json:
        session.output.show_json({"statement_id": str(statement_id), "path": str(output), "bytes": len(content)})
    else:
        session.output.show_text(f"{output}: {len(content)} bytes")


async def close_statements(
    session: Session, period: PeriodArgument, holder: HolderOption = None, is_waiting: WaitOption = True
) -> None:
    """Close a month's statements, once its records are no longer awaited. The platform goes on when nobody waits."""
    statements = session.keisan.statements
    closing = await statements.close(StatementClose(period=period, holder_id=holder))
    if is_waiting:
        with session.output.aside.status("closing") as status:
            closing = await statements.wait_closed(closing.id, lambda moved: status.update(describe_closing(moved)))
    show_closing(session, closing)


def show_closing(session: Session, closing: ClosingView) -> None:
    """Print how far a closing has come; raises StateConflict if a statement could not be closed."""
    session.output.show_view(closing, describe_closing(closing))
    if failed_count := closing.counts.get(CloseOutcome.FAILED):
        raise StateConflict(f"{failed_count} could not be closed: the platform's log says why")


async def list_closings(session: Session) -> None:
    """List closings that were asked for: by whom, and how far they have come."""
    found = [line async for line in session.keisan.statements.list_closings()]
    rows = [(line.id, f"{line.created_at:%Y-%m-%d %H:%M}", line.asked_by, describe_closing(line)) for line in found]
    session.output.show_views(found, ("id", "asked at", "by", "how far"), rows)


def describe_closing(closing: ClosingView) -> str:
    """Return in a line how far a closing has come."""
    counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(closing.counts.items()))
    if closing.state is ClosingState.DONE:
        return f"{closing.period}: {counts or 'nobody has records'}"
    told = [counts] if counts else []
    if (draft := closing.draft) is not None:
        done = "summing, " if draft.sealed_count == 0 else f"{draft.sealed_count:,} of "
        told.append(f"{draft.holder_kind} {draft.holder_id}: {done}{draft.record_count:,} records")
    return f"{closing.period} is closing" + "".join(f"; {each}" for each in told)


async def verify_file(session: Session, statement: FileArgument, leaves: LeavesArgument) -> None:
    """Check an exported statement against its records, without asking the platform: signature, sums and root."""
    detail = verify_statement(_read_signed(statement), _read_lines(leaves))
    text = f"good: {detail.record_count} records, {_show_amount(detail)}, signed by platform {detail.platform_id}"
    session.output.show_view(detail, text)


def _show_detail(session: Session, detail: StatementDetail) -> None:
    if session.output.is_json:
        session.output.show_json(detail.model_dump(mode="json"))
        return
    text = f"{detail.holder_name}, {detail.first_day} to {detail.last_day} (UTC), {detail.state}"
    session.output.show_text(f"{text}: {detail.record_count} calls, {_show_amount(detail)}")
    session.output.show_table(("project / site", "key / chip", "model", "calls", "amount"), _list_rows(detail))


def _list_rows(detail: StatementDetail) -> Iterator[tuple[object, ...]]:
    for line in detail.lines:
        place, part = line.project_name or line.site_name, line.key_name or line.chip or ""
        mark = " (late)" if line.is_late else ""
        amount = format_nano(line.amount_nano, detail.currency)
        yield (place, part, f"{line.model_name}{mark}", line.record_count, amount)
    for adjustment in detail.adjustments:
        yield ("adjustment", "", adjustment.resolution, "", format_nano(adjustment.amount_nano, detail.currency))


def _show_amount(view: StatementView) -> str:
    return format_nano(view.amount_nano, view.currency)


def _write_file(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be written: {fault.strerror}", "OUTPUT") from fault


async def _write_leaves(path: Path, records: AsyncIterator[StatementRecordView]) -> None:
    """Write a line for each record as it comes: there may be millions."""
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            async for record in records:
                file.write(f"{record.leaf}\n")
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be written: {fault.strerror}", "RECORDS") from fault


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read: {fault.strerror}", "STATEMENT") from fault


def _read_signed(path: Path) -> SignedStatement:
    try:
        return SignedStatement.model_validate_json(_read_file(path))
    except ValueError as fault:
        raise InvalidInput(f"expected a signed statement in {path}", "STATEMENT", str(fault)) from fault


def _read_lines(path: Path) -> list[str]:
    try:
        return _read_file(path).decode().splitlines()
    except UnicodeDecodeError as fault:
        raise InvalidInput(f"expected lines of text in {path}", "LEAVES") from fault


def add_commands(application: typer.Typer) -> None:
    """Add statement list, show, preview, export, close, closings and verify."""
    group = typer.Typer(help="What organizations spent and providers earned, month by month.", no_args_is_help=True)
    add_command(group, "list", list_statements)
    add_command(group, "show", show_statement)
    add_command(group, "preview", draw_open_statement)
    add_command(group, "export", export_statement)
    add_command(group, "close", close_statements)
    add_command(group, "closings", list_closings)
    add_command(group, "verify", verify_file)
    application.add_typer(group, name="statement")
