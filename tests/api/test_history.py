"""History over HTTP: within the scope, as JSON or Arrow, and honest about what it is of."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from keisan.control.history import History
from keisan.domain.history import MINUTE_MS
from keisan.domain.sample import MISSING, FrameHead, SampleName
from keisan.kit.clock import to_milliseconds
from keisan.telemetry.live_site import SitePlace
from tests.api.stage import Stage
from tests.storage.test_history_store import create_inventory

DEVICES = 3


async def fill(stage: Stage) -> History:
    """Let the stage's site have told ten minutes, and let half an hour pass."""
    history = stage.history
    place = SitePlace(stage.site.id, stage.site.provider_id, stage.site.name, stage.site.region)
    _, inventory = create_inventory()
    history.take_inventory(place, inventory)
    start_ms = to_milliseconds(stage.clock.now()) // (10 * MINUTE_MS) * (10 * MINUTE_MS)
    for sequence in range(60):
        values = np.full((len(SampleName), DEVICES), MISSING, np.int32)
        values[list(SampleName).index(SampleName.POWER_MILLIWATTS)] = np.arange(DEVICES) * 100 + sequence
        head = FrameHead("a", 1, sequence, start_ms + sequence * 10_000, 10_000)
        history.append(place, head, np.arange(DEVICES, dtype=np.uint32), values)
    await history.intake.flush()
    stage.clock.elapsed_s += timedelta(minutes=30).total_seconds()
    while history.keeper.work():
        pass
    return history


QUERY = "/telemetry/query?fields=power_milliwatts&step_s=600"


@pytest.mark.parametrize(("who", "count"), [("admin", 1), ("auditor", 1), ("provider", 1), ("other_provider", 0)])
async def test_nobody_sees_what_is_others(stage: Stage, who: str, count: int) -> None:
    await fill(stage)
    for by in ("region", "site"):
        answer = await stage.ask(who, "GET", f"{QUERY}&by={by}")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert (len(told["rows"]), told["device_count"]) == (count, 2 * count)
    named = (await stage.ask(who, "GET", f"{QUERY}&by=site&site_id={stage.site.id}")).json()
    assert (len(named["rows"]), len(named["site_names"])) == (count, count)


@pytest.mark.parametrize("who", ["owner", "developer", "stranger"])
async def test_people_of_organizations_see_nothing(stage: Stage, who: str) -> None:
    await fill(stage)
    answer = await stage.ask(who, "GET", QUERY)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def test_rows_come_with_what_they_are_of(stage: Stage) -> None:
    await fill(stage)
    told = (await stage.ask("admin", "GET", f"{QUERY}&by=site")).json()
    assert (told["tier"], told["step_s"], told["device_count"]) == ("minute", 600, 2)
    assert told["age_ms"] == 20 * MINUTE_MS + 10_000
    assert told["site_names"] == {str(stage.site.id): stage.site.name}
    (row,) = (dict(zip(told["columns"], cells, strict=True)) for cells in told["rows"])
    assert (row["site"], row["region"]) == (str(stage.site.id), stage.site.region)
    sums = [row[f"power_milliwatts_{each}"] for each in ("min", "max", "sum", "count")]
    assert sums == [0, 259, sum(n * 100 + m for n in range(3) for m in range(60)), 180]
    assert (row["sample_count"], row["covered_ms"]) == (180, 1_800_000)


async def test_arrow_has_the_same_rows(stage: Stage) -> None:
    await fill(stage)
    told = (await stage.ask("admin", "GET", f"{QUERY}&by=device")).json()
    answer = await stage.ask("admin", "GET", f"{QUERY}&by=device&format=arrow")
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column_names == told["columns"]
    assert [list(row.values()) for row in table.to_pylist()] == told["rows"]
    assert b'"tier":"minute"' in table.schema.metadata[b"keisan"]


async def test_a_device_is_had_as_it_was_sampled(stage: Stage) -> None:
    await fill(stage)
    told = (await stage.ask("provider", "GET", f"{QUERY}&by=device&device=d1".replace("600", "0"))).json()
    assert (told["step_s"], told["tier"], told["coverage_permille"]) == (0, "sample", None)
    places = [told["columns"].index(name) for name in ("hardware_id", "power_milliwatts")]
    assert [tuple(row[place] for place in places) for row in told["rows"]] == [("d1", 100 + n) for n in range(60)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("fields=power", "fields"),
        ("fields=age_ms,age_ms", "fields"),
        ("since=2026-11-23T11:00:00", "since"),
        ("since=2027-11-23T11:00:00Z", "until"),
        ("step_s=0", "step"),
        ("step_s=-1", "step_s"),
        ("by=rack", "by"),
        ("zone=1", "zone"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(stage: Stage, query: str, field: str) -> None:
    answer = await stage.ask("admin", "GET", f"/telemetry/query?{query}")
    assert answer.status_code == 400, answer.text
    assert field in answer.text
