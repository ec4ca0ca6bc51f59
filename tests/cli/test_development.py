"""`keisan report`: figures with growth, coverage and age."""

from datetime import UTC, datetime

from keisan.cli.development import list_cells
from keisan.sdk import DevelopmentFigureView
from tests.cli.conftest import CommandLine

FIGURE = DevelopmentFigureView(
    name="calls",
    unit="{call}",
    first=1000,
    last=1250,
    growth_permille=250,
    coverage_permille=995,
    as_of=datetime(2026, 11, 23, tzinfo=UTC),
    age_s=7200,
)


def test_a_figure_is_told_in_words() -> None:
    assert list(list_cells(FIGURE)) == ["calls", "{call}", "1,000", "1,250", "+25.0 %", "99.5 %", "2 h"]
    ages = [list(list_cells(FIGURE.model_copy(update={"age_s": each})))[-1] for each in (59, 3599, 200_000)]
    assert ages == ["0 min", "59 min", "2 days"]
    unknown = dict.fromkeys(("first", "last", "growth_permille", "coverage_permille", "as_of", "age_s"))
    assert list(list_cells(FIGURE.model_copy(update=unknown)))[2:] == ["unknown"] * 5


def test_a_platform_is_reported(command_line: CommandLine) -> None:
    answer = command_line.run("report", "nation", "--month", "2026-11")
    assert answer.code == 0, answer.aside
    assert answer.out.startswith("nation from 2026-11-01")
    told = command_line.run("report", "CN-SX", "--json").told
    assert {"calls", "pue_permille"} <= {each["name"] for each in told["figures"]}
    assert command_line.run("report", "nation", "--month", "soon").code != 0
