"""`keisan forecast`: the month as a table, budgets below it, or all of it as JSON."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from keisan.cli.forecast import HolderOptions, describe_method, describe_outlook, round_money, show_forecast
from keisan.cli.output import Output
from keisan.cli.session import Session, Target
from keisan.domain.access import PlatformScope
from keisan.domain.budget import PeriodKind
from keisan.domain.key import Secret
from keisan.domain.page import PageRequest
from keisan.domain.usage import PostedRecord
from keisan.domain.usage_sum import UsageFilter
from keisan.kit.ids import create_id
from keisan.sdk import AsyncKeisan, BudgetForecastView, BudgetOutlook, Connections, ForecastMethod, ForecastRange
from tests.api.conftest import stage, stage_template
from tests.api.stage import Stage
from tests.cli.conftest import CommandLine
from tests.domain.samples import create_record_id
from tests.sdk.platform import connect

__all__ = ["stage", "stage_template"]

ALL_DAYS = UsageFilter(since=date(2020, 1, 1), until=date(2030, 1, 1))


def build_line(**changes: Any) -> ForecastRange:
    line = ForecastRange(
        currency="CNY",
        method=ForecastMethod.WEEKDAY,
        week_count=4,
        spent_nano=1,
        low_nano=2,
        expected_nano=3,
        high_nano=4,
    )
    return line.model_copy(update=changes)


def build_budget_line(outlook: BudgetOutlook, used_up_on: date | None) -> BudgetForecastView:
    return BudgetForecastView(
        **dict(build_line()),
        budget_id=create_id(),
        organization_id=create_id(),
        project_id=None,
        key_id=None,
        period=PeriodKind.MONTH,
        amount_nano=9,
        outlook=outlook,
        used_up_on=used_up_on,
    )


def test_nothing_spent_is_said_in_words(command_line: CommandLine) -> None:
    answer = command_line.run("forecast")
    assert answer.code == 0, answer.aside
    [organization] = command_line.run("organizations", "list", "--json").told
    assert answer.out.startswith(f"{organization['name']}: {datetime.now(UTC):%Y-%m}-01 to ")
    assert "nothing was spent this month, nor in the four weeks before today" in answer.out
    told = command_line.run("forecast", "--organization", organization["name"], "--json").told
    assert (told["organization_id"], told["lines"], told["coverage_ppm"]) == (organization["id"], [], 800_000)


async def test_table_tells_the_range_and_of_what_it_is_made(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    await spend_daily(stage, 30)
    async with AsyncKeisan.over(Connections(connect(stage, "owner"))) as owner:
        target = Target("http://unused", None, Secret("unused"))
        await show_forecast(Session(owner, Output(is_json=False), target), HolderOptions())
    told = capsys.readouterr().out
    assert told.startswith("alpha: 2026-11-01 to 2026-11-30 (UTC), as of 2026-11-23 12:00 UTC\n")
    # Spent: a Sunday and three weeks of 60. Left: half of this Monday, the rest of a week, and a Monday.
    [line] = [line for line in told.splitlines() if line.lstrip().startswith("XTS")]
    assert line.split() == [
        "XTS",
        "185.00",
        "XTS",
        "~250.00",
        "XTS",
        "~250.00",
        "XTS",
        "~250.00",
        "XTS",
        "weekdays",
        "of",
        "4",
        "weeks",
    ]
    [other] = [line for line in told.splitlines() if line.lstrip().startswith("CNY")]
    assert other.split() == ["CNY", "0.0000305", "CNY", "no", "forecast:", "too", "few", "days"]
    assert "80% of months end within the range" in told


async def spend_daily(stage: Stage, days: int) -> None:
    """Let the stage's organization spend 10 XTS on each working day, and 5 at weekends."""
    async with stage.storage.write() as transaction:
        [known] = (await transaction.usage.list(PlatformScope(), ALL_DAYS, PageRequest())).items
        posted = []
        for back in range(1, days + 1):
            instant = stage.clock.now() - timedelta(days=back)
            amount_nano = (5 if instant.weekday() >= 5 else 10) * 10**9
            record = known.record._replace(
                id=create_record_id(instant), day=instant.date(), admitted_at=instant, amount_nano=amount_nano
            )
            posted.append(PostedRecord(record, known.charge._replace(currency="XTS")))
        await transaction.usage.insert_many(posted)


def test_budgets_stand_below(command_line: CommandLine) -> None:
    [project] = command_line.run("projects", "list", "--json").told
    made = command_line.run("budgets", "create", "250", "XTS", "--project", project["name"], "--json").told
    try:
        for words in ((), ("--project", project["name"])):
            answer = command_line.run("forecast", *words)
            [line] = [line for line in answer.out.splitlines() if made["id"] in line]
            assert all(word in line for word in ("project, month", "250.00 XTS", "0.00 XTS", "not known"))
        own = command_line.run("forecast", "--project", project["name"], "--json").told
        assert [line["budget_id"] for line in own["budgets"] if line["currency"] == "XTS"] == [made["id"]]
    finally:
        assert command_line.run("budgets", "delete", made["id"]).code == 0


def test_odd_words_are_faults(command_line: CommandLine) -> None:
    assert command_line.run("forecast", "--organization", "nobody").code == 5
    assert command_line.run("forecast", "--project", "none such").code == 5
    assert command_line.run("forecast", "--key-id", str(create_id())).code == 5


@pytest.mark.parametrize(
    ("amount_nano", "told"),
    [
        (None, ""),
        (0, "~0.00 CNY"),
        (30_549, "~0.0000305 CNY"),
        (1_234_567_890, "~1.23 CNY"),
        (99_950_000_000, "~100.00 CNY"),
        (123_456_500_000_000, "~123457.00 CNY"),
    ],
)
def test_expectations_have_few_digits(amount_nano: int | None, told: str) -> None:
    assert round_money(amount_nano, "CNY") == told


def test_method_and_outlook_are_told_in_words() -> None:
    day = date(2026, 11, 28)
    assert describe_method(build_line()) == "weekdays of 4 weeks"
    assert describe_method(build_line(method=ForecastMethod.MEAN, week_count=1)) == "mean of 1 week"
    assert describe_method(build_line(method=ForecastMethod.NONE)) == "no forecast: too few days"
    told = {
        (BudgetOutlook.USED_UP, None): "used up",
        (BudgetOutlook.EXPECTED, day): "used up on 2026-11-28",
        (BudgetOutlook.POSSIBLE, day): "perhaps used up on 2026-11-28",
        (BudgetOutlook.UNLIKELY, None): "holds this month",
        (BudgetOutlook.UNKNOWN, None): "not known",
    }
    assert {key: describe_outlook(build_budget_line(*key)) for key in told} == told
