"""`keisan telemetry query`: means of sums, beside how much of the fleet they are of."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pyarrow as pa

from keisan.cli.history import _choose_columns, _list_rows, describe_reach
from keisan.domain.history import Tier
from keisan.sdk import HistoryRows
from tests.cli.conftest import CommandLine

SITE = UUID(int=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANSWER = HistoryRows(
    since=NOON,
    until=NOON,
    step_s=60,
    tier=Tier.MINUTE,
    device_count=2,
    coverage_permille=995,
    reached_at=NOON,
    age_ms=1500,
    taken_at=NOON,
    site_names={SITE: "cellar"},
    columns=(
        *("at_ms", "site", "sample_count", "covered_ms", "last_ms"),
        *("power_milliwatts_min", "power_milliwatts_max", "power_milliwatts_sum", "power_milliwatts_count"),
        *("energy_kilojoules_growth", "energy_kilojoules_count"),
    ),
    rows=(
        (int(NOON.timestamp()) * 1000, str(SITE), 6, 60_000, 1, 1, 9, 31, 6, 7, 6),
        (int(NOON.timestamp()) * 1000, str(UUID(int=2)), 6, 60_000, 1, None, None, 0, 0, 0, 0),
    ),
)


def test_a_table_shows_means_and_names() -> None:
    columns = list(_choose_columns(ANSWER.columns))
    assert [heading for heading, _ in columns] == ["at", "site", "power_milliwatts", "energy_kilojoules_growth"]
    assert list(_list_rows(ANSWER, [places for _, places in columns])) == [
        ["2026-11-23 12:00:00", "cellar", "5", 7],
        ["2026-11-23 12:00:00", str(UUID(int=2)), "", 0],
    ]


def test_samples_and_verdicts_are_shown_as_they_are() -> None:
    names = ("at_ms", "region", "site", "hardware_id", "power_milliwatts", "energy_kilojoules")
    assert [heading for heading, _ in _choose_columns(names)] == ["at", *names[1:]]


def test_a_line_says_what_rows_are_of() -> None:
    line = describe_reach(ANSWER)
    assert "steps of 60 s of tier minute: 2 devices, coverage 99.5 %, newest sample 2 s old" in line
    nothing = ANSWER.model_copy(update={"coverage_permille": None, "age_ms": None, "step_s": 0})
    assert "as sampled of tier minute: 2 devices, coverage unknown, no sample" in describe_reach(nothing)


def test_a_platform_without_samples_says_so(command_line: CommandLine, tmp_path: Path) -> None:
    answer = command_line.run("telemetry", "query", "--by", "site", "--since", "2026-11-01", "--until", "2026-11-02")
    assert answer.code == 0, answer.aside
    # How many devices depends on whether a site of this platform has told its inventory in another test.
    assert answer.out.endswith(", no sample\n")
    told = command_line.run("telemetry", "query", "--json").told
    assert (told["rows"], told["tier"]) == ([], "minute")
    file = tmp_path / "rows.arrow"
    assert command_line.run("telemetry", "query", "--arrow", str(file), "--step", "60").code == 0
    assert len(pa.ipc.open_stream(file.read_bytes()).read_all()) == 0
    assert command_line.run("telemetry", "query", "--fields", "nothing").code != 0
