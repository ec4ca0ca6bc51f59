"""Analyses and exports over HTTP: within the scope, exact, and honest about how far they reach."""

import csv
import io
import json
from dataclasses import replace
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from keisan.domain.archive import AnalysisKey, ExportFormat
from keisan.domain.entry import EntryKind
from keisan.domain.errors import StorageUnavailable
from keisan.ledger.journal import EntryDraft
from tests.api.stage import Stage, archive_usage, build_record
from tests.storage.archive_world import create_posted

DAY = "2026-11-23"
ALL_KEYS = ",".join(AnalysisKey)


async def test_usage_is_summed_by_any_keys(any_stage: Stage) -> None:
    answer = await any_stage.ask("developer", "GET", f"/usage/analysis?by={ALL_KEYS}")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    (line,) = told["lines"]
    ids = any_stage.ids
    assert line["group"] == {
        "day": DAY,
        "hour": f"{DAY}T12:00:00Z",
        "chip": "cpu-x86-64",
        "usage_source": "engine",
        "outcome": "completed",
        "surface": "chat",
        **{name: str(ids[name]) for name in ("organization", "project", "key", "model", "provider", "site")},
    }
    assert (line["currency"], line["call_count"], line["amount_nano"]) == ("CNY", 1, "30500")
    assert {name: count for name, count in line["quantities"].items() if count} == {"input": 37, "output": 8}
    assert told["by"] == list(AnalysisKey)
    assert (told["since"], told["until"]) == ("2026-10-25", DAY)
    shown = {str(ids[name]): told["names"].get(str(ids[name])) for name in ("organization", "project", "key", "model")}
    assert list(shown.values()) == ["alpha", "first", "developer", "smollm2-135m-instruct"]


@pytest.mark.parametrize(
    ("who", "count"),
    [("admin", 1), ("auditor", 1), ("owner", 1), ("provider", 1), ("stranger", 0), ("other_provider", 0)],
)
async def test_nobody_sees_what_is_others(stage: Stage, who: str, count: int) -> None:
    for by in AnalysisKey:
        told = (await stage.ask(who, "GET", f"/usage/analysis?by={by}")).json()
        assert sum(line["call_count"] for line in told["lines"]) == count, by
    for written_as in ExportFormat:
        answer = await stage.ask(who, "GET", f"/usage/export?format={written_as}")
        assert answer.status_code == 200
        assert (str(stage.ids["record"]).encode() in answer.content) is (count == 1 and written_as != "parquet")
        if written_as == "parquet":
            assert pq.read_table(pa.BufferReader(answer.content)).num_rows == count


@pytest.mark.parametrize("by", ["", "model,", "modell", "model,model", "Model", "model;day", "1", "id", "amount_nano"])
async def test_malformed_keys_are_refused(stage: Stage, by: str) -> None:
    answer = await stage.ask("admin", "GET", f"/usage/analysis?by={by}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "by"), answer.text


@pytest.mark.parametrize("path", ["analysis?by=" + "x" * 300, "export?format=xml", "export?since=2026-13-01"])
async def test_malformed_queries_are_refused(stage: Stage, path: str) -> None:
    assert (await stage.ask("admin", "GET", f"/usage/{path}")).status_code == 400


async def test_backward_span_is_refused(stage: Stage) -> None:
    answer = await stage.ask("auditor", "GET", "/usage/analysis?since=2026-11-24&until=2026-11-23")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "since")


async def test_answer_says_how_far_it_reaches(stage: Stage) -> None:
    reach = (await stage.ask("admin", "GET", "/usage/analysis")).json()["reach"]
    assert (reach["is_current"], reach["age_s"]) == (True, 0)
    stage.clock.elapsed_s += 90
    answer = await stage.ask("gateway", "POST", "/gateway/usage", build_record(stage))
    assert answer.json()["created_count"] == 1, answer.text
    told = (await stage.ask("admin", "GET", "/usage/analysis")).json()
    assert [line["call_count"] for line in told["lines"]] == [1]
    assert told["reach"] == reach | {"is_current": False, "age_s": 90}
    exported = await stage.ask("admin", "GET", "/usage/export")
    assert exported.headers["keisan-archive-current"] == "false"
    assert exported.headers["keisan-archive-sequence"] == str(reach["sequence"])
    await archive_usage(stage)
    told = (await stage.ask("admin", "GET", "/usage/analysis")).json()
    assert [line["call_count"] for line in told["lines"]] == [2]
    assert (told["reach"]["is_current"], told["reach"]["sequence"]) == (True, reach["sequence"] + 1)


async def test_nothing_is_missing_where_no_record_waits(stage: Stage) -> None:
    """Neither an entry without records, nor that nobody has looked yet for records of before the journal, makes the answer late."""
    async with stage.storage.write() as transaction:
        draft = EntryDraft(EntryKind.TOP_UP, (), stage.project.organization_id)
        await stage.control.journal.write_entry(transaction, draft)
        cursor = await transaction.archive.get_cursor()
        await transaction.archive.put_cursor(replace(cursor, is_before_done=False))
    reach = (await stage.ask("admin", "GET", "/usage/analysis")).json()["reach"]
    assert (reach["sequence"], reach["is_current"], reach["age_s"]) == (cursor.last_sequence, True, 0)
    async with stage.storage.write() as transaction:
        await transaction.usage.insert_many([create_posted(Random(1), None)])
    reach = (await stage.ask("admin", "GET", "/usage/analysis")).json()["reach"]
    assert (reach["is_current"], reach["age_s"]) == (False, 0)


async def test_export_has_what_the_api_shows_and_no_more(stage: Stage) -> None:
    shown = (await stage.ask("developer", "GET", f"/usage/{stage.ids['record']}")).json()
    text = (await stage.ask("developer", "GET", "/usage/export?format=jsonl")).text
    (record,) = [json.loads(line) for line in text.splitlines()]
    columns = {name: f"{name}_tokens" for name in ("input", "input_cached", "input_cache_write", "output", "reasoning")}
    columns |= {"image": "images", "audio_second": "audio_seconds"}
    quantities = {name: record.pop(column) for name, column in columns.items()}
    assert {name: count for name, count in quantities.items() if count is not None} == shown.pop("quantities")
    extra = {"chip": "cpu-x86-64", "currency": "CNY", "entry_sequence": record["entry_sequence"]}
    assert record.pop("admitted_at")[:19] == shown.pop("admitted_at")[:19]
    assert record == shown | extra
    table = (await stage.ask("developer", "GET", "/usage/export?format=csv")).text
    (row,) = csv.DictReader(io.StringIO(table))
    assert {row[name] for name in ("id", "amount_nano")} == {record["id"], "30500"}
    assert set(row) == {*record, *columns.values(), "admitted_at"}
    file = (await stage.ask("developer", "GET", "/usage/export?format=parquet")).content
    (line,) = pq.read_table(pa.BufferReader(file)).to_pylist()
    assert (str(line["id"]), int(line["amount_nano"]), set(line)) == (record["id"], 30_500, set(row))


async def test_archive_that_cannot_be_read_is_told_before_the_first_byte(stage: Stage) -> None:
    async with stage.storage.read() as view:
        for name in await view.archive.list_names():
            (stage.control.get_archive().root / name).unlink()  # type: ignore[attr-defined]  # it is a folder here
    for path in ("analysis", "export?format=jsonl", "export?format=parquet"):
        answer = await stage.ask("admin", "GET", f"/usage/{path}")
        assert (answer.status_code, answer.json()["code"]) == (503, StorageUnavailable.code), path
