"""`keisan ledger retention` as a process, on a platform's own files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from keisan.daemon.folder import prepare_folder
from keisan.storage.sqlite import open_sqlite
from tests.factories import FixedClock, plant_world


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A platform's data directory with two records in it."""
    storage = open_sqlite(prepare_folder(tmp_path).platform / "keisan.db", FixedClock())
    try:
        await storage.migrate()
        await plant_world(storage)
    finally:
        await storage.close()
    return tmp_path


def run_retention(data: Path, *words: str, usage_days: str = "0") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keisan.daemon.main", "ledger", "retention", "--data", str(data), *words]
    environment = os.environ | {"KEISAN_PLATFORM__RETENTION__USAGE_DAYS": usage_days}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


async def test_what_would_go_is_told_in_words_and_as_json(data: Path) -> None:
    ran = run_retention(data, usage_days="36500")
    assert ran.returncode == 0, ran
    assert "2026-11-23 (2 records stored, 0 archived), is held: usage is kept for 36500 days [young]" in ran.stdout
    assert "answers: kept 1 days; 0 would go now" in ran.stdout
    told = json.loads(run_retention(data, "--json").stdout)
    assert (told["usage"]["days"], told["usage"]["step"], told["usage"]["deleted_through"]) == (0, "rest", None)
    assert told["usage"]["oldest"]["hold"] == {"code": "young", "text": "usage is kept for ever"}
    assert [each["kind"] for each in told["kinds"]] == ["answers", "tickets", "quarantine", "deliveries"]


async def test_days_below_the_least_are_a_fault_of_the_settings(data: Path) -> None:
    ran = run_retention(data, usage_days="59")
    assert ran.returncode == 2
    assert "0 (for ever), or 60 to 36500 days" in ran.stderr


def test_platform_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    ran = run_retention(tmp_path / "nothing")
    assert ran.returncode == 5
    assert len(ran.stderr.splitlines()) == 1
