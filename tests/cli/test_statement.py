"""`keisan statement`: close, list, show, export and check, over a statement that was put into the platform's database."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from keisan.cli.exit_code import ExitCode
from keisan.cli.output import Output
from keisan.cli.session import Session, Target
from keisan.cli.statement import (
    Form,
    _list_rows,
    describe_closing,
    export_statement,
    show_closing,
    show_statement,
    verify_file,
)
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.key import Secret
from keisan.domain.merkle import compute_root, hash_leaf
from keisan.kit.ids import create_id
from keisan.sdk import AsyncKeisan, CloseOutcome, ClosingState, ClosingView, Connections, DraftView, HolderKind
from keisan.wire.statement import show_content
from tests.api.conftest import stage, stage_template
from tests.api.stage import Stage
from tests.cli.conftest import CommandLine
from tests.domain.samples import (
    NOW,
    build_adjustment,
    build_closing,
    build_statement_content,
    build_statement_line,
    build_statement_sum,
)
from tests.sdk.platform import connect
from tests.sdk.test_statement_proof import LEAVES, build_content, sign
from tests.settlement import run_closings

__all__ = ["stage", "stage_template"]


def test_month_that_is_awaited_is_refused(command_line: CommandLine) -> None:
    answer = command_line.run("statement", "close", "2999-01")
    assert answer.code == ExitCode.REFUSED
    assert "2999-01 may be closed from 2999-02-08 00:00 UTC on" in answer.aside
    assert command_line.run("statement", "close", "2020-1").code == ExitCode.USAGE


def test_nobody_with_records_says_so(command_line: CommandLine) -> None:
    assert command_line.run("statement", "close", "2020-01").out == "2020-01: nobody has records\n"
    told = command_line.run("statement", "close", "2020-01", "--json").told
    assert (told["period"], told["state"], told["counts"]) == ("2020-01", "done", {})
    # Another one: the first was done.
    asked = command_line.run("statement", "close", "2020-01", "--no-wait")
    assert asked.out == "2020-01 is closing\n"
    listed = command_line.run("statement", "closings", "--json").told
    assert {"2020-01"} == {line["period"] for line in listed}
    assert listed[0]["id"] == told["id"] or told in listed
    assert command_line.run("statement", "closings").code == 0
    assert command_line.run("statement", "list", "--json").told == []
    assert command_line.run("statement", "list").aside == "nothing here\n"


def test_preview_shows_an_open_statement(command_line: CommandLine) -> None:
    with command_line.open_api() as api:
        organization_id = api.get("/organizations").json()["items"][0]["id"]
    words = ("statement", "preview", "customer", organization_id, "CNY", "--period", "2026-01")
    answer = command_line.run(*words)
    assert "2026-01-01 to 2026-01-31 (UTC), open: 0 calls, 0.00 CNY" in answer.out
    assert command_line.run(*words, "--json").told["state"] == "open"
    assert command_line.run("statement", "preview", "provider", organization_id, "CNY").code == ExitCode.NOT_FOUND


@pytest.mark.parametrize("words", [("show",), ("export",)])
def test_unknown_statement_is_not_found(command_line: CommandLine, tmp_path: Path, words: tuple[str, ...]) -> None:
    path = [str(tmp_path / "out")] if words == ("export",) else []
    for form in (["--form", "csv"], ["--form", "html"], []) if path else ([],):
        answer = command_line.run("statement", *words, str(create_id()), *path, *form)
        assert answer.code == ExitCode.NOT_FOUND


def test_exported_statement_is_checked_offline(command_line: CommandLine, tmp_path: Path) -> None:
    statement, leaves = tmp_path / "statement.json", tmp_path / "leaves"
    statement.write_text(sign(build_content(LEAVES)).model_dump_json(indent=1))
    leaves.write_text("".join(f"{leaf}\n" for leaf in LEAVES))
    answer = command_line.run("statement", "verify", str(statement), str(leaves))
    assert (answer.code, answer.out[:42]) == (0, "good: 3 records, 0.0000915 CNY, signed by ")
    root = compute_root(hash_leaf(leaf.encode()) for leaf in LEAVES).hex()
    assert command_line.run("statement", "verify", str(statement), str(leaves), "--json").told["records_root"] == root
    leaves.write_text("".join(f"{leaf}\n" for leaf in LEAVES[1:]))
    assert command_line.run("statement", "verify", str(statement), str(leaves)).code == ExitCode.USAGE
    for content in (b"{}", b"\xff"):
        statement.write_bytes(content)
        assert command_line.run("statement", "verify", str(statement), str(leaves)).code == ExitCode.USAGE
    assert command_line.run("statement", "verify", str(tmp_path / "none"), str(leaves)).code == ExitCode.USAGE


async def test_statement_is_exported_in_every_form_and_its_records_prove_it(stage: Stage, tmp_path: Path) -> None:
    stage.clock.instant = datetime(2026, 12, 8, tzinfo=UTC)
    assert (await stage.ask("admin", "POST", "/statements/close", {"period": "2026-11"})).status_code == 202
    await run_closings(stage.control)
    target = Target("http://unused", None, Secret("unused"))
    signed, leaves = tmp_path / "statement.json", tmp_path / "leaves"
    async with AsyncKeisan.over(Connections(connect(stage, "owner"))) as owner:
        session = Session(owner, Output(is_json=True), target)
        [line] = [line async for line in owner.statements.list()]
        assert line.id is not None
        await export_statement(session, line.id, signed, records=leaves)
        await verify_file(session, signed, leaves)
        await show_statement(session, line.id)
        for form, beginning in ((Form.CSV, b"period,line,"), (Form.HTML, b"<!DOCTYPE html>")):
            path = tmp_path / form
            await export_statement(session, line.id, path, form)
            assert path.read_bytes().startswith(beginning)
        for paths in ((tmp_path, None), (signed, tmp_path)):
            with pytest.raises(InvalidInput, match="cannot be written"):
                await export_statement(session, line.id, paths[0], records=paths[1])
    assert len(leaves.read_text().splitlines()) == 1


async def test_what_fails_to_close_is_an_error(stage: Stage) -> None:
    """Whoever waits hears that something is wrong, by text and by exit code."""
    failed = build_closing(state=ClosingState.DONE, counts={CloseOutcome.CLOSED: 3, CloseOutcome.FAILED: 1})
    async with stage.storage.write() as transaction:
        await transaction.closings.insert(failed)
    async with AsyncKeisan.over(Connections(connect(stage, "admin"))) as admin:
        view = await admin.statements.wait_closed(failed.id)
        session = Session(admin, Output(is_json=True), Target("http://unused", None, Secret("unused")))
        with pytest.raises(StateConflict, match="1 could not be closed"):
            show_closing(session, view)


def test_closing_is_described_in_a_line() -> None:
    draft = DraftView(
        holder_kind=HolderKind.CUSTOMER,
        holder_id=UUID(int=1),
        currency="CNY",
        summed_through=None,
        record_count=12_000,
        sealed_count=0,
    )
    view = ClosingView(
        id=UUID(int=2),
        period="2026-11",
        holder_id=None,
        asked_by="key:1",
        created_at=NOW,
        state=ClosingState.CLOSING,
        counts={},
        draft=None,
        ended_at=None,
    )
    assert describe_closing(view) == "2026-11 is closing"
    begun = view.model_copy(update={"counts": {CloseOutcome.CLOSED: 2, CloseOutcome.EMPTY: 1}, "draft": draft})
    who = f"2026-11 is closing; 2 closed, 1 empty; customer {UUID(int=1)}"
    assert describe_closing(begun) == f"{who}: summing, 12,000 records"
    sealing = begun.model_copy(update={"draft": draft.model_copy(update={"sealed_count": 3000})})
    assert describe_closing(sealing) == f"{who}: 3,000 of 12,000 records"


def test_rows_name_places_late_lines_and_adjustments() -> None:
    own = build_statement_sum(project_id=None, key_id=None, price_id=None, chip="h20", is_late=True)
    lines = [build_statement_line(), build_statement_line(sum=own, project_name="", key_name="", site_name="tokyo-1")]
    detail = show_content(build_statement_content(lines=lines, adjustments=[build_adjustment()]), None)
    model = "smollm2-135m-instruct"
    assert list(_list_rows(detail)) == [
        ("first", "first", model, 2, "0.000061 CNY"),
        ("tokyo-1", "h20", f"{model} (late)", 2, "0.000061 CNY"),
        ("adjustment", "", "counted twice", "", "0.0000005 CNY"),
    ]
