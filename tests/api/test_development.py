"""Development over HTTP: each figure with how much it is of; for the platform's people only."""

from datetime import timedelta

import pytest

from keisan.domain.entry import EntryKind
from keisan.ledger.journal import EntryDraft
from tests.api.stage import Stage, build_record
from tests.api.test_history import fill


async def draw(stage: Stage, query: str = "") -> dict[str, dict[str, object]]:
    answer = await stage.ask("admin", "GET", f"/development{query}")
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["figures"]}


@pytest.mark.parametrize(
    ("who", "status"), [("auditor", 200), ("provider", 403), ("owner", 403), ("developer", 403), ("gateway", 403)]
)
async def test_only_the_platforms_people_see_it(stage: Stage, who: str, status: int) -> None:
    assert (await stage.ask(who, "GET", "/development")).status_code == status


@pytest.mark.parametrize("query", ["month=2026-13", "month=november", "region=nation", "year=2026"])
async def test_what_makes_no_sense_is_refused(stage: Stage, query: str) -> None:
    assert (await stage.ask("admin", "GET", f"/development?{query}")).status_code == 400


async def test_devices_and_calls_are_told_with_coverage_and_age(stage: Stage) -> None:
    await fill(stage)
    told = await draw(stage)
    assert (told["calls"]["last"], told["models_used"]["last"], told["calls"]["coverage_permille"]) == (1, 1, 1000)
    power = told["device_mean_power_milliwatts"]
    total = sum(n * 100 + m for n in range(3) for m in range(60))
    assert (power["first"], power["last"]) == (total // 180, total // 180)
    assert isinstance(power["coverage_permille"], int)
    assert power["age_s"] == 20 * 60 + 10
    own = await draw(stage, f"?region={stage.site.region}")
    assert (own["calls"]["last"], own["device_mean_power_milliwatts"]["last"]) == (1, total // 180)
    other = await draw(stage, "?region=CN-GZ&month=2026-11")
    assert (other["calls"]["last"], other["device_mean_power_milliwatts"]["last"]) == (0, None)


async def test_calls_are_covered_as_far_as_records_wait_for_the_archive(stage: Stage) -> None:
    stage.clock.elapsed_s += 86_400
    async with stage.storage.write() as transaction:
        await stage.control.journal.write_entry(
            transaction, EntryDraft(EntryKind.TOP_UP, (), stage.project.organization_id)
        )
    assert (await draw(stage))["calls"]["coverage_permille"] == 1000
    answer = await stage.ask("gateway", "POST", "/gateway/usage", build_record(stage))
    assert answer.json()["created_count"] == 1, answer.text
    covered = (await draw(stage))["calls"]["coverage_permille"]
    assert isinstance(covered, int)
    assert 900 < covered < 1000


async def test_capacity_grows_from_the_first_page_to_the_last(stage: Stage) -> None:
    assert not [name for name in await draw(stage) if name.startswith("registered")]
    development = stage.development
    await development.keep_page()
    before = await draw(stage)
    names = [name for name in before if name.startswith(("registered_", "surveyed_"))]
    assert names
    assert all(before[name]["growth_permille"] in (0, None) for name in names)
    # A page of an earlier day of this month, that told half of one figure.
    page = f"capacity/{stage.clock.now().date()}.json"
    (content,) = stage.history.keeper.store.find_documents([page]).values()
    name = names[0]
    last = before[name]["last"]
    assert isinstance(last, int)
    earlier = stage.clock.now().date() - timedelta(days=3)
    halved = content.replace(f'"value":{last}'.encode(), f'"value":{last // 2}'.encode())
    stage.history.keeper.store.put_document(f"capacity/{earlier}.json", halved)
    after = await draw(stage)
    assert (after[name]["first"], after[name]["last"]) == (last // 2, last)
    assert after[name]["coverage_permille"] is not None
