"""Answers of history: of a folder or a bucket, of any tier, they are what a slow recount of the samples says."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from keisan.domain.errors import InvalidInput, LimitExceeded, StorageUnavailable
from keisan.domain.history import DAY_MS, HOUR_MS, MINUTE_MS, HistoryTerms, InventoryNote, Tier
from keisan.domain.history_column import STATISTICS, Statistic
from keisan.domain.history_question import HistoryGroup, HistoryQuestion
from keisan.domain.inventory import InventoryHead, SupernodeEntry
from keisan.domain.sample import FIELD_INDEX, MISSING, SampleName
from keisan.storage import history_query
from keisan.storage.base_history import JournalFrame
from keisan.storage.history_query import HistoryEngine
from keisan.storage.history_store import HistoryPlace, open_folder
from keisan.telemetry import history_answer
from keisan.telemetry.history_answer import HistoryAnswer, HistoryAnswerer
from keisan.wire.inventory import Inventory
from tests.factories import FixedClock
from tests.s3 import create_bucket, start_s3
from tests.storage.history_world import DAY_START, DAY_START_MS, REGION, SITES, create_frames
from tests.telemetry.history_stage import HistoryStage
from tests.telemetry.test_history_roll_up import count_one

FIELDS = (
    SampleName.POWER_MILLIWATTS,
    SampleName.ENERGY_KILOJOULES,
    SampleName.HEALTH,
    SampleName.THROTTLE_FLAGS,
)
OTHER_REGION = "JP-13"
DEVICES = 5


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    with start_s3() as url:
        yield url


@pytest.fixture(scope="module")
def frames() -> list[JournalFrame]:
    """Return two hours of two sites in two regions."""
    source = np.random.default_rng(4)
    other = [
        replace(each, origin=replace(each.origin, region=OTHER_REGION)) for each in create_frames(source, 720, site=1)
    ]
    return [*create_frames(source, 720), *other]


@pytest.fixture(scope="module", params=["folder", "bucket"])
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, frames: list[JournalFrame]
) -> Iterator[HistoryStage]:
    root = tmp_path_factory.mktemp("history")
    place: HistoryPlace = open_folder(root / "data")
    if request.param == "bucket":
        place = create_bucket(request.getfixturevalue("s3_url"), f"bucket-{uuid4()}")
    stage = HistoryStage(root, FixedClock(DAY_START), place=place)
    for site, region in zip(SITES, (REGION, OTHER_REGION), strict=False):
        put_inventory(stage, str(site), region)
    stage.journal.write(frames)
    # The first hour is rolled up, of the second four windows are folded and two are in the journal.
    stage.keep(DAY_START_MS + HOUR_MS + 41 * MINUTE_MS)
    yield stage
    stage.journal.close()


def put_inventory(stage: HistoryStage, site: str, region: str) -> None:
    head = InventoryHead("a", 1, ("n0", "n1"), ("c",), ("Chip",), (SupernodeEntry("s0"),))
    inventory = Inventory(
        head,
        pa.array([f"{region}-d{n}" for n in range(DEVICES)]),
        node=np.array([0, 0, 1, 1, 1], np.int32),
        chip=np.zeros(DEVICES, np.int32),
        name=np.zeros(DEVICES, np.int32),
        supernode=np.array([-1, -1, 0, 0, 0], np.int32),
        memory_mib=np.full(DEVICES, 1, np.int32),
        is_retired=np.zeros(DEVICES, np.bool_),
    )
    stage.keeper.expect_inventory(InventoryNote(site, region, "a", 1, DEVICES, DAY_START_MS), inventory)


def ask(stage: HistoryStage, question: HistoryQuestion) -> HistoryAnswer:
    return asyncio.run(HistoryAnswerer(stage.keeper, lambda: HistoryEngine(stage.store)).ask(question))


def name_group(frame: JournalFrame, number: int, group: HistoryGroup) -> tuple[str | None, ...]:
    region, site = frame.origin.region, str(frame.origin.site_id)
    names: dict[HistoryGroup, tuple[str | None, ...]] = {
        HistoryGroup.DEVICE: (region, site, f"{region}-d{number}"),
        HistoryGroup.NODE: (region, site, "n0" if number < 2 else "n1"),
        HistoryGroup.SUPERNODE: (region, site, None if number < 2 else "s0"),
        HistoryGroup.SITE: (region, site),
        HistoryGroup.REGION: (region,),
        HistoryGroup.PLATFORM: (),
    }
    return names[group]


Key = tuple[int, tuple[str | None, ...]]


def recount(
    frames: list[JournalFrame], group: HistoryGroup, step_ms: int, until_ms: int
) -> dict[Key, dict[str, int | None]]:
    """Return what each group and step should be, without growth."""
    values: dict[Key, dict[SampleName, list[int]]] = {}
    counts: dict[Key, int] = {}
    for frame in sorted(frames, key=lambda each: each.head.sampled_at_ms):
        at_ms = frame.head.sampled_at_ms
        if at_ms >= until_ms:
            continue
        for place, number in enumerate(frame.numbers):
            key = (at_ms // step_ms * step_ms, name_group(frame, int(number), group))
            counts[key] = counts.get(key, 0) + 1
            own = values.setdefault(key, {name: [] for name in FIELDS})
            for name in FIELDS:
                value = int(frame.values[FIELD_INDEX[name], place])
                if value != MISSING:
                    own[name].append(value)
    found: dict[Key, dict[str, int | None]] = {}
    for key, own in values.items():
        found[key] = {"sample_count": counts[key], "covered_ms": counts[key] * 10_000}
        for name in FIELDS:
            for statistic in STATISTICS[name]:
                if statistic not in {Statistic.FIRST, Statistic.LAST, Statistic.GROWTH}:
                    counted = count_one(own[name], statistic)
                    found[key][f"{name}_{statistic}"] = None if counted == MISSING else counted
    return found


@pytest.mark.parametrize("group", HistoryGroup)
@pytest.mark.parametrize(("step_ms", "tier"), [(5 * MINUTE_MS, Tier.MINUTE), (HOUR_MS, Tier.HOUR), (7000, Tier.SAMPLE)])
def test_an_answer_is_what_a_recount_says(
    stage: HistoryStage, frames: list[JournalFrame], group: HistoryGroup, step_ms: int, tier: Tier
) -> None:
    until_ms = DAY_START_MS + (2 * HOUR_MS if tier is not Tier.SAMPLE else 20 * MINUTE_MS)
    answer = ask(stage, HistoryQuestion(FIELDS, group, DAY_START_MS, until_ms, step_ms))
    assert answer.plan.tier is tier
    names = history_query.GROUP_COLUMNS[group]
    folded = [each for each in frames if each.head.sampled_at_ms < DAY_START_MS + HOUR_MS + 40 * MINUTE_MS]
    # Steps that are asked for in part are answered whole.
    expected = recount(folded, group, step_ms, answer.plan.until_ms)
    if step_ms == 7000:
        expected = {key: each for key, each in expected.items() if key[0] >= answer.plan.since_ms}
    rows = answer.rows.to_pylist()
    assert len(rows) == len(expected)
    for row in rows:
        wanted = expected[row["at_ms"], tuple(row[name] for name in names)]
        assert {name: row[name] for name in wanted} == wanted
    assert answer.reached_ms == max(
        each.head.sampled_at_ms
        for each in folded
        if len(each.numbers) and each.head.sampled_at_ms < answer.plan.until_ms
    )


def test_samples_are_had_as_they_are(stage: HistoryStage, frames: list[JournalFrame]) -> None:
    device = f"{REGION}-d3"
    since_ms, until_ms = DAY_START_MS + 50 * MINUTE_MS, DAY_START_MS + 70 * MINUTE_MS
    answer = ask(stage, HistoryQuestion(FIELDS, HistoryGroup.DEVICE, since_ms, until_ms, 0, device=device))
    expected = [
        (each.head.sampled_at_ms, device, *(int(each.values[FIELD_INDEX[name], place]) for name in FIELDS))
        for each in frames
        if each.origin.region == REGION and since_ms <= each.head.sampled_at_ms < until_ms
        for place in np.flatnonzero(each.numbers == 3)
    ]
    shown = [
        (row["at_ms"], row["hardware_id"], *(MISSING if row[name] is None else row[name] for name in FIELDS))
        for row in answer.rows.to_pylist()
    ]
    assert shown == expected
    assert len(shown) > 50


@pytest.mark.parametrize("step_ms", [5 * MINUTE_MS, HOUR_MS])
def test_a_counter_grows_by_all_its_steps(stage: HistoryStage, frames: list[JournalFrame], step_ms: int) -> None:
    question = HistoryQuestion(FIELDS, HistoryGroup.DEVICE, DAY_START_MS, DAY_START_MS + 2 * HOUR_MS, step_ms)
    answer = ask(stage, replace(question, device=f"{REGION}-d2"))
    values = [
        int(each.values[FIELD_INDEX[SampleName.ENERGY_KILOJOULES], place])
        for each in frames
        if each.origin.region == REGION and each.head.sampled_at_ms < DAY_START_MS + HOUR_MS + 40 * MINUTE_MS
        for place in np.flatnonzero(each.numbers == 2)
    ]
    growth = sum(answer.rows["energy_kilojoules_growth"].to_pylist())
    assert growth == count_one([each for each in values if each != MISSING], Statistic.GROWTH)


@pytest.mark.parametrize(
    ("chosen", "device_count", "row_count"),
    [
        ({"regions": (REGION,)}, 5, 1),
        ({"sites": (SITES[1],)}, 5, 1),
        ({"sites": ()}, 0, 0),
        ({"sites": (SITES[1],), "regions": (REGION,)}, 0, 0),
        ({}, 10, 2),
        ({"node": "n1"}, 10, 2),
        ({"device": f"{OTHER_REGION}-d0"}, 10, 1),
        ({"device": "none"}, 10, 0),
        ({"supernode": "s0", "regions": (OTHER_REGION,)}, 5, 1),
    ],
)
def test_only_what_is_asked_for_is_in_it(
    stage: HistoryStage, chosen: dict[str, object], device_count: int, row_count: int
) -> None:
    question = HistoryQuestion(FIELDS, HistoryGroup.SITE, DAY_START_MS, DAY_START_MS + HOUR_MS, HOUR_MS)
    answer = ask(stage, replace(question, **chosen))  # type: ignore[arg-type]  # each is of its field's type
    assert (answer.device_count, len(answer.rows)) == (device_count, row_count)


def test_an_answer_says_how_much_of_the_fleet_it_is_of(stage: HistoryStage, frames: list[JournalFrame]) -> None:
    question = HistoryQuestion(FIELDS, HistoryGroup.PLATFORM, DAY_START_MS, DAY_START_MS + HOUR_MS, HOUR_MS)
    answer = ask(stage, question)
    count = sum(len(each.numbers) for each in frames if each.head.sampled_at_ms < DAY_START_MS + HOUR_MS)
    assert answer.coverage_permille == count * 10_000 * 1000 // (10 * HOUR_MS)
    assert 400 < answer.coverage_permille < 700
    assert answer.age_ms == 41 * MINUTE_MS + HOUR_MS - (answer.reached_ms or 0) % HOUR_MS
    empty = ask(stage, replace(question, since_ms=DAY_START_MS - DAY_MS, until_ms=DAY_START_MS))
    assert (empty.coverage_permille, empty.age_ms, len(empty.rows)) == (0, None, 0)
    one = ask(stage, replace(question, node="n0"))
    assert one.coverage_permille is None


def test_an_answer_has_a_limit(stage: HistoryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    question = HistoryQuestion(FIELDS, HistoryGroup.DEVICE, DAY_START_MS, DAY_START_MS + HOUR_MS, 0)
    monkeypatch.setattr(history_query, "QUERY_ROWS_MAX", 10)
    with pytest.raises(LimitExceeded, match="10 rows"):
        ask(stage, question)


def test_a_sum_that_does_not_fit_is_refused(stage: HistoryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    question = HistoryQuestion(FIELDS, HistoryGroup.REGION, DAY_START_MS, DAY_START_MS + HOUR_MS, HOUR_MS)
    monkeypatch.setitem(history_query.FOLDS, Statistic.SUM, f"CAST(sum({{}}) * {2**50} AS BIGINT)")
    with pytest.raises(LimitExceeded, match="64 bits"):
        ask(stage, question)


def test_a_question_that_takes_too_much_memory_is_refused(stage: HistoryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    question = HistoryQuestion(FIELDS, HistoryGroup.DEVICE, DAY_START_MS, DAY_START_MS + HOUR_MS, MINUTE_MS)
    monkeypatch.setattr(history_query, "MEMORY_BYTES_MAX", 2**20)
    with pytest.raises(LimitExceeded, match="memory"):
        ask(stage, question)


def test_a_file_that_is_gone_is_told(stage: HistoryStage) -> None:
    broken = HistoryStage(stage.root, stage.clock, HistoryTerms(), stage.store.place)
    broken.keeper.load()
    broken.keeper.shelf.manifests = {
        month: replace(each, files=tuple(replace(file, name="sample/gone.parquet") for file in each.files))
        for month, each in broken.keeper.manifests.items()
    }
    with pytest.raises(StorageUnavailable):
        ask(broken, HistoryQuestion(FIELDS, HistoryGroup.REGION, DAY_START_MS, DAY_START_MS + HOUR_MS, HOUR_MS))


def test_files_alone_can_be_read(stage: HistoryStage, frames: list[JournalFrame], tmp_path: Path) -> None:
    """Anybody with DuckDB and the folder can answer without keisan, by the manifest's list."""
    if stage.store.place.root.startswith("bucket"):
        pytest.skip("the same objects")
    names = [f"{stage.store.place.root}/{each.name}" for each in stage.list_files(Tier.SAMPLE)]
    text = """
        SELECT hardware_id, count(*) FROM read_parquet(?) JOIN read_parquet(?) USING (site, incarnation, device)
        GROUP BY 1 ORDER BY 1
    """
    inventories = f"{stage.store.place.root}/inventory/*/*.parquet"
    rows = duckdb.connect().execute(text, [names, inventories]).fetchall()
    assert len(rows) == 10
    assert sum(count for _, count in rows) == len(stage.read_samples())


@pytest.mark.parametrize(
    "wrong",
    [{"until_ms": DAY_START_MS}, {"step_ms": -1}, {"step_ms": 0, "group": HistoryGroup.SITE}],
)
def test_a_question_that_makes_no_sense_is_refused(stage: HistoryStage, wrong: dict[str, object]) -> None:
    question = HistoryQuestion(FIELDS, HistoryGroup.DEVICE, DAY_START_MS, DAY_START_MS + HOUR_MS)
    with pytest.raises(InvalidInput):
        ask(stage, replace(question, **wrong))  # type: ignore[arg-type]  # each is of its field's type


def test_answer_that_takes_too_long_is_cut(stage: HistoryStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_answer, "QUERY_TIMEOUT_S", 0.2)
    # As good as endless.
    endless = "SELECT count(*) FROM range(10000000000) a, range(100) b WHERE a.range + b.range != 1"
    monkeypatch.setattr(HistoryEngine, "_write", lambda *_: (endless, []))
    begun_s = time.monotonic()
    with pytest.raises(StorageUnavailable, match="longer"):
        ask(stage, HistoryQuestion(FIELDS, HistoryGroup.SITE, DAY_START_MS, DAY_START_MS + HOUR_MS, HOUR_MS))
    # Its thread has ended too, or the loop's end would wait for it.
    assert time.monotonic() - begun_s < 20
