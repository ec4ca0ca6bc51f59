"""`keisan usage`: sums per model and source, counted apart, exact to the nano."""

from datetime import date

from keisan.cli.usage import _list_rows
from keisan.domain.price import TokenClass
from keisan.domain.usage import UsageSource
from keisan.kit.ids import create_id
from keisan.sdk import UsageLine, UsageSummary
from tests.cli.conftest import CommandLine

MODEL_ID = create_id()


def make_line(source: UsageSource, calls: int, amount_nano: int, **quantities: int) -> UsageLine:
    return UsageLine(
        model_id=MODEL_ID,
        model_name="m",
        currency="CNY",
        usage_source=source,
        call_count=calls,
        quantities={TokenClass(name): count for name, count in quantities.items()},
        amount_nano=amount_nano,
    )


def test_sources_are_counted_apart_and_summed_once() -> None:
    lines = (
        make_line(UsageSource.ENGINE, 3, 30_500, input=37, input_cached=5, output=8, reasoning=2),
        make_line(UsageSource.ENGINE_RUNNING, 1, 1, input=1, output=1),
    )
    day = date(2026, 11, 23)
    rows = list(_list_rows(UsageSummary(since=day, until=day, lines=lines)))
    assert rows == [
        ("m", "engine", 3, 37, 5, 10, "0.0000305 CNY"),
        ("m", "engine_running", 1, 1, 0, 1, "0.000000001 CNY"),
        ("all", "", 4, 38, 5, 11, "0.000030501 CNY"),
    ]


def test_no_usage_says_so(command_line: CommandLine) -> None:
    answer = command_line.run("usage", "--since", "2026-11-01", "--until", "2026-11-02", "--project", "default")
    assert (answer.code, answer.out) == (0, "usage from 2026-11-01 to 2026-11-02 (UTC)\n")
    assert answer.aside == "nothing here\n"
    told = command_line.run("usage", "--json", "--model", "smollm2-135m-instruct").told
    assert told["lines"] == []
