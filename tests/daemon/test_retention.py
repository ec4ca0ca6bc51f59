"""`keisan ledger retention` as a process, on a platform's own files: what would go, what is kept, and that nothing is written."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keisan.daemon.folder import prepare_folder
from keisan.domain.ids import MachineId
from keisan.kit.ids import create_id
from keisan.storage.base import StoredAnswer
from keisan.storage.sqlite import open_sqlite
from tests.factories import FixedClock, plant_world

TABLES = ("stored_answer", "quarantined_record", "delivery", "event")


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A platform's data directory with an old and a new answer, and records refused 100 days ago."""
    storage, now = open_sqlite(prepare_folder(tmp_path).platform / "keisan.db", FixedClock()), datetime.now(UTC)
    try:
        await storage.migrate()
        await plant_world(storage)
        async with storage.write() as transaction:
            for key, age_days in (("old", 2), ("new", 0)):
                answer = StoredAnswer("d1", 201, "{}", None)
                created_at = now - timedelta(days=age_days)
                await transaction.idempotency.insert(create_id(), key, answer, created_at)
            codes = {b"one": "invalid", b"two": "invalid"}
            await transaction.usage.quarantine_many(codes, MachineId(create_id()), now - timedelta(days=100))
    finally:
        await storage.close()
    return tmp_path


def run_retention(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keisan.daemon.main", "ledger", "retention", "--data", str(data), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def count_rows(data: Path) -> tuple[int, ...]:
    with sqlite3.connect(data / "platform" / "keisan.db") as database:
        counts = tuple(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)
    database.close()
    return counts


async def test_what_would_go_is_told_and_stays(data: Path) -> None:
    before = count_rows(data)
    ran = run_retention(data, "--json")
    assert ran.returncode == 0, ran
    told = json.loads(ran.stdout)
    by_kind = {rule["kind"]: rule for rule in told["rules"]}
    answers, records = by_kind["answer"], by_kind["quarantined_record"]
    assert (answers["stored"], answers["due"], answers["held"], answers["kept_days"]) == (2, 1, 1, 1)
    assert (records["stored"], records["due"], records["held"], records["kept_days"]) == (2, 0, 2, 400)
    assert {"closed tickets", "usage records", "journal entries and postings"} <= {
        kept["what"] for kept in told["kept"]
    }
    assert all(kept["why"] for kept in told["kept"])
    text = run_retention(data).stdout
    assert "answer: 1 of 2 would go now" in text
    assert "closed tickets: the audit" in text
    assert count_rows(data) == before


async def test_settings_say_for_how_long(data: Path) -> None:
    config = data / "settings.toml"
    config.write_text("[platform.retention]\nquarantined_record_days = 90\n")
    told = json.loads(run_retention(data, "--json", "--config", str(config)).stdout)
    assert [rule["due"] for rule in told["rules"] if rule["kind"] == "quarantined_record"] == [2]


async def test_database_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    ran = run_retention(tmp_path / "nothing")
    assert ran.returncode == 5
    assert not (tmp_path / "nothing").exists()
    assert len(ran.stderr.splitlines()) == 1
