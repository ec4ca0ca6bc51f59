"""The daily reconciliation: the ledger's total is the sum over what engines reported x price, to the nano, whatever was killed.

KEISAN_TEST_RECONCILED_CALLS sets how many calls end before the books are closed, KEISAN_TEST_SEED repeats what chance chose.
"""

import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.deadline import let_time_pass_async, wait_until_async
from tests.e2e.platform_process import Platform, prepare_data
from tests.e2e.reconciliation.books import Books, Reader, count_words
from tests.e2e.reconciliation.report import read_reports
from tests.e2e.reconciliation.stage import DAY_S, PRICES, Stage
from tests.e2e.reconciliation.tally import Fate, Progress, read_tally
from tests.e2e.relay.wall_clock import build_wall_clock
from tests.ports import find_free_port
from tests.postgresql import run_server

pytestmark = [pytest.mark.e2e, pytest.mark.postgresql, pytest.mark.timeout(7_200)]
CALLS = int(os.environ.get("KEISAN_TEST_RECONCILED_CALLS", "6000"))
# So that a small run lasts while things are killed; a large one is as fast as two cores are.
RATE_PER_S = min(3_000, max(300, CALLS // 120))
# With fsync: what is lost here is lost in earnest.
SERVER_OPTIONS = ("listen_addresses=", "max_connections=60")
PRICE_AHEAD_S = 5.0
PROGRESS_S_MAX = 3_600.0
DELAY_S_MAX = 0.2
# After a clock was set or a price made, so that calls are made in between however slow the host is.
SETTLED_CALLS = 300
KILLED_TOGETHER = (
    ("gateway",),
    ("postgresql",),
    ("gateway",),
    ("platform",),
    ("gateway", "platform"),
    ("postgresql", "platform"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """What happens once so many calls have ended: processes are killed, a gateway's clock is set, or a price is made."""

    due: int
    victims: Sequence[str] = ()
    offset_s: int | None = None
    is_price: bool = False


def plan_moments(source: random.Random) -> list[Moment]:
    """Return the run's moments in order: kills at random ones, the second gateway's days and the prices at settled ones."""
    rounds = max(1, CALLS // 60_000)
    kills = [Moment(source.randrange(CALLS * 19 // 20), victims) for victims in KILLED_TOGETHER * rounds]
    clock = [Moment(CALLS * part // 20, offset_s=days * DAY_S) for part, days in ((1, -1), (8, -8), (11, -1), (17, 0))]
    prices = [Moment(CALLS * part // 20, is_price=True) for part in (6, 13)]
    return sorted((*kills, *clock, *prices), key=lambda moment: moment.due)


@pytest.fixture
async def stage(tmp_path: Path, postgresql_programs: Path) -> AsyncIterator[Stage]:
    """The whole chain, ready for calls."""
    root, clocks = tmp_path / "data", []
    for name in ("platform", "0", "1"):
        (tmp_path / name).mkdir()
        clocks.append(build_wall_clock(tmp_path / name))
    # A short folder, because the path of an engine's socket ends at 107 bytes.
    short = tempfile.TemporaryDirectory(prefix="keisan-", dir="/tmp")
    with short as socket_folder, run_server(postgresql_programs, SERVER_OPTIONS) as server:
        server.create_database("books")
        url = server.format_url("books")
        folder = prepare_data(root, url)
        platform = Platform(folder, f"127.0.0.1:{find_free_port()}", clocks[0].environment)
        running = Stage(root, Path(socket_folder), server, platform, clocks[0], clocks[1:])
        platform.start()
        try:
            await running.plant_replicas(url)
            running.make_customers()
            running.make_price()
            running.start_engine()
            await running.start_gateways([find_free_port(), find_free_port()])
            yield running
        finally:
            running.end()


async def run_moments(stage: Stage, progress: Progress, source: random.Random) -> None:
    """Let happen what is planned, each when its time has come, until enough calls have ended."""
    for moment in plan_moments(source):
        await wait_for_calls(stage, progress, moment.due)
        if moment.offset_s is not None:
            stage.step_clock(1, moment.offset_s)
        elif moment.is_price:
            stage.make_price(PRICE_AHEAD_S)
            await stage.wait_for_price()
        else:
            await let_time_pass_async(source.uniform(0.0, DELAY_S_MAX))
            await stage.kill(moment.victims, source.randrange(2))
        if not moment.victims:
            await wait_for_calls(stage, progress, progress.count_ended() + SETTLED_CALLS)
    await wait_for_calls(stage, progress, CALLS)


async def wait_for_calls(stage: Stage, progress: Progress, count: int) -> None:
    """Wait until so many calls have ended; raises AssertionError if a process has ended by itself before."""

    def has_ended() -> bool:
        stage.check_processes()
        return progress.count_ended() >= count

    await wait_until_async(has_ended, f"{count} calls have ended", PROGRESS_S_MAX)


def list_days() -> list[str]:
    """Return all days that calls can lie on."""
    today = datetime.now(UTC).date()
    return [str(today + timedelta(days=days)) for days in range(-10, 2)]


def list_records(stage: Stage) -> Iterator[dict[str, Any]]:
    """Yield what GET /api/v1/usage lists, day by day."""
    for day in list_days():
        yield from stage.list_all("/usage", since=day, until=day)


def check_sums(stage: Stage, books: Books) -> None:
    """Hold the sums that the platform tells, day by day, and the archive's, against the engine's."""
    expected: Counter[tuple[str, str]] = Counter()
    for (day, _, _, currency), amount_nano in books.sums.items():
        expected[day, currency] += amount_nano
    found: Counter[tuple[str, str]] = Counter()
    for day in {day for day, _ in expected}:
        with stage.open_api() as api:
            told = api.get("/usage/summary", params={"since": day, "until": day}).json()
        for line in told["lines"]:
            found[day, line["currency"]] += int(line["amount_nano"])
    assert found == expected, "GET /api/v1/usage/summary"
    archived: Counter[tuple[str, str, str]] = Counter()
    for line in stage.analyse_archive(list_days()[0], list_days()[-1]):
        group = line["group"]
        archived[group["day"], group["organization"], line["currency"]] += int(line["amount_nano"])
    wanted: Counter[tuple[str, str, str]] = Counter()
    for (day, organization_id, _, currency), amount_nano in books.sums.items():
        wanted[day, organization_id, currency] += amount_nano
    assert archived == wanted, "GET /api/v1/usage/analysis"


def check_balances(
    before: dict[tuple[str, str, str], int], after: dict[tuple[str, str, str], int], books: Books
) -> None:
    """Hold the fall of wallets and suspense, and the rise of all others, against what the engine's usage comes to."""
    moved = {name: after[name] - before.get(name, 0) for name in after}
    expected = {name: books.accounts.get(name, 0) for name in after.keys() | books.accounts.keys()}
    assert moved == expected, {
        name: (moved.get(name), expected[name]) for name in expected if moved.get(name) != expected[name]
    }
    assert sum(after.values()) == 0
    for currency in {name[2] for name in after}:
        paid = -sum(nano for name, nano in moved.items() if name[2] == currency and name[0] in {"wallet", "suspense"})
        earned = sum(
            nano for name, nano in moved.items() if name[2] == currency and name[0] not in {"wallet", "suspense"}
        )
        total = sum(nano for (_, _, _, other), nano in books.sums.items() if other == currency)
        assert paid == earned == total, currency


def check_reach(books: Books, fates: Counter[Fate]) -> None:
    """Raise AssertionError if something was not tried after all."""
    assert {number for _, _, number, _ in books.sums} == set(range(1, len(PRICES) + 1)), books.sums
    assert len({day for day, _, _, _ in books.sums}) >= 3, books.sums
    assert set(books.ties) == {"odd", "even"}, "no amount ended on half a nano-unit"
    assert books.late_nano > 0
    assert set(fates) == set(Fate)
    assert fates[Fate.DONE] > 0.8 * fates.total(), fates


async def test_ledger_is_what_engines_reported_times_price(
    stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    seed = int(os.environ.get("KEISAN_TEST_SEED", str(random.randrange(2**32))))
    source, began_s = random.Random(seed), time.monotonic()
    before = stage.read_balances()
    progress = stage.start_load(source.randrange(2**32), RATE_PER_S)
    await run_moments(stage, progress, source)
    stage.stop_last()
    loaded_s = time.monotonic() - began_s
    await stage.wait_for_upload()
    stage.stop_last()
    uploaded_s = time.monotonic() - began_s
    calls, reports = read_tally(stage.tally), read_reports(stage.engine_log)
    books = Reader(stage.ledger, calls, reports).read(list_records(stage))
    read_s = time.monotonic() - began_s
    fates = Counter(call.fate for call in calls.values())
    (stage.root / "unbilled").write_text("\n".join(books.unbilled))
    told = (
        f"seed {seed}: {len(calls)} calls in {loaded_s:.0f} s, uploaded after {uploaded_s:.0f} s, read after {read_s:.0f} s; kills {stage.ledger.kills}; "
        f"{ {fate.name: count for fate, count in fates.items()} }; reported {dict(count_words(reports.values()))}; "
        f"records {dict(books.outcomes)}; ties {dict(books.ties)}; "
        f"{len(books.unbilled)} not completed and not billed, named in {stage.root / 'unbilled'}; "
        f"sums {dict(books.sums)}"
    )
    record_property("books", told)
    assert not books.differences, (len(books.differences), books.differences[:10], told)
    check_balances(before, stage.read_balances(), books)
    check_sums(stage, books)
    check_reach(books, fates)
    record_property("closed", f"after {time.monotonic() - began_s:.0f} s")
