"""`keisan ledger audit` as a process, on a platform's own files."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from keisan.control.context import Control
from keisan.control.journal import open_journal
from keisan.daemon.folder import prepare_folder
from keisan.storage.sqlite import open_sqlite
from tests.factories import SIGNER, FixedClock, plant_world


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A platform's data directory with a journal in it."""
    storage = open_sqlite(prepare_folder(tmp_path).platform / "keisan.db", FixedClock())
    try:
        await storage.migrate()
        world = await plant_world(storage)
        await open_journal(Control(storage, FixedClock(), world.platform.id, signer=SIGNER))
    finally:
        await storage.close()
    return tmp_path


def run_audit(data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "keisan.daemon.main", "ledger", "audit", "--data", str(data), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


async def test_whole_ledger_is_told_so(data: Path) -> None:
    ran = run_audit(data)
    assert (ran.returncode, ran.stdout.startswith("the ledger is whole: 1 entries, 2 records")) == (0, True), ran
    told = json.loads(run_audit(data, "--json").stdout)
    assert (told["is_whole"], told["entries"], told["records"], told["difference"]) == (True, 1, 2, None)


async def test_first_difference_is_named_and_is_the_exit_code(data: Path) -> None:
    with sqlite3.connect(data / "platform" / "keisan.db") as database:
        database.execute("UPDATE account SET balance_nano = '9' WHERE kind = 'wallet'")
    database.close()
    ran = run_audit(data)
    assert ran.returncode == 6
    assert "NOT whole" in ran.stdout
    assert "balance of wallet account" in ran.stdout
    assert json.loads(run_audit(data, "--json").stdout)["difference"]["found"] == "9"


async def test_database_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    ran = run_audit(tmp_path / "nothing")
    assert ran.returncode == 5
    assert not (tmp_path / "nothing").exists()
    assert len(ran.stderr.splitlines()) == 1
