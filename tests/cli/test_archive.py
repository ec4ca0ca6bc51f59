"""`keisan usage analyse` and `keisan usage export`: sums by any keys, and files that are whole or not there."""

import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from keisan.cli.archive import PROGRESS_BYTES, Progress, _list_rows, tell_reach
from keisan.cli.output import Output
from keisan.domain.archive import AnalysisKey
from keisan.domain.price import TokenClass
from keisan.kit.ids import create_id
from keisan.sdk import AnalysisLineView, ArchiveReach, UsageAnalysis
from tests.cli.conftest import CommandLine

DAY = date(2026, 11, 23)
REACH = ArchiveReach(sequence=3, reached_at=datetime(2026, 11, 23, 12, tzinfo=UTC), is_current=True, age_s=0)


def test_lines_show_names_and_exact_amounts() -> None:
    model_id = str(create_id())
    line = AnalysisLineView(
        group={AnalysisKey.MODEL: model_id, AnalysisKey.DAY: "2026-11-23"},
        currency="CNY",
        call_count=3,
        quantities={TokenClass.INPUT: 37, TokenClass.OUTPUT: 8},
        amount_nano=30_500,
    )
    by = (AnalysisKey.DAY, AnalysisKey.MODEL)
    analysis = UsageAnalysis(since=DAY, until=DAY, by=by, reach=REACH, names={model_id: "m"}, lines=(line,))
    (row,) = _list_rows(analysis)
    quantities = [37 if each is TokenClass.INPUT else 8 if each is TokenClass.OUTPUT else 0 for each in TokenClass]
    assert list(row) == ["2026-11-23", "m", 3, *quantities, "0.0000305 CNY"]


def test_analysis_is_told_as_json_or_as_a_table(command_line: CommandLine) -> None:
    told = command_line.run("usage", "analyse", "--by", "model,day", "--json").told
    assert (told["by"], told["lines"]) == (["model", "day"], [])
    answer = command_line.run("usage", "analyse", "--since", "2026-11-01", "--until", "2026-11-02")
    assert (answer.code, answer.out) == (0, "usage from 2026-11-01 to 2026-11-02 (UTC)\n")
    assert answer.aside == "nothing here\n"


def test_archive_that_lags_says_so_beside_the_answer() -> None:
    output = Output(is_json=True, aside=Console(file=io.StringIO(), width=200))
    told = output.aside.file
    tell_reach(output, REACH)
    assert told.getvalue() == ""  # type: ignore[attr-defined]  # it is a StringIO here
    tell_reach(output, REACH.model_copy(update={"is_current": False}))
    tell_reach(output, REACH.model_copy(update={"is_current": False, "reached_at": None}))
    first, second = told.getvalue().splitlines()  # type: ignore[attr-defined]  # as above
    assert first == "the archive reaches to 2026-11-23 12:00:00 (UTC), entry 3: newer records are not in this"
    assert "nothing yet" in second


def test_progress_is_told_now_and_then() -> None:
    output = Output(is_json=True, aside=Console(file=io.StringIO(), width=200))
    progress = Progress(output)
    for _ in range(5):
        progress.count(PROGRESS_BYTES // 2)
    assert output.aside.file.getvalue() == "16 MiB\n32 MiB\n"  # type: ignore[attr-defined]  # as above


def test_malformed_keys_are_told(command_line: CommandLine) -> None:
    answer = command_line.run("usage", "analyse", "--by", "modell")
    assert answer.code != 0
    assert "expected names out of day, hour" in answer.aside


@pytest.mark.parametrize("written_as", ["csv", "jsonl", "parquet"])
def test_export_is_in_its_place_once_it_is_whole(command_line: CommandLine, tmp_path: Path, written_as: str) -> None:
    file = tmp_path / "usage"
    answer = command_line.run("usage", "export", "--format", written_as, str(file))
    assert answer.code == 0, answer.aside
    assert answer.out == f"{file}: {file.stat().st_size:,} bytes\n"
    told = command_line.run("usage", "export", "--format", written_as, str(file), "--json").told
    assert told["size_bytes"] == file.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["usage"]


def test_refused_export_leaves_what_was_there(command_line: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "usage"
    file.write_text("before")
    answer = command_line.run("usage", "export", "--since", "2026-11-02", "--until", "2026-11-01", str(file))
    assert answer.code != 0
    assert "lies after" in answer.aside
    assert (file.read_text(), [path.name for path in tmp_path.iterdir()]) == ("before", ["usage"])


def test_file_that_cannot_be_written_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    answer = command_line.run("usage", "export", str(tmp_path / "no" / "usage"), "--json")
    assert answer.code != 0
    assert json.loads(answer.out)["error"]["code"] == "invalid_input"
