"""Records of children: ended by identity after a crash, a recycled pid never signalled, a damaged record harmless."""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from keisan.daemon.process_file import end_leftover, read_process, record_process
from keisan.executors.local import LocalExecutor
from tests.deadline import wait_until


def start_sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)


async def test_leftover_is_ended_by_identity(tmp_path: Path) -> None:
    sleeper = start_sleeper()
    record_process(tmp_path / "site.json", sleeper.pid)
    await end_leftover(tmp_path / "site.json", LocalExecutor({}), 5.0)
    # Its parent is this test, not a dead supervisor, so this test reaps it; the executor may have been first.
    wait_until(lambda: not psutil.pid_exists(sleeper.pid) or sleeper.poll() is not None, "it is gone")
    sleeper.poll()
    assert not (tmp_path / "site.json").exists()


@pytest.mark.parametrize("field_name", ["started_ticks", "boot_id"])
async def test_recycled_pid_is_never_signalled(tmp_path: Path, field_name: str) -> None:
    sleeper = start_sleeper()
    path = tmp_path / "site.json"
    try:
        record_process(path, sleeper.pid)
        content = json.loads(path.read_bytes())
        content[field_name] = content[field_name] + 1 if field_name == "started_ticks" else "another boot"
        path.write_text(json.dumps(content))
        await end_leftover(path, LocalExecutor({}), 5.0)
        assert sleeper.poll() is None
        assert not path.exists()
    finally:
        sleeper.kill()
        sleeper.wait(10)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x", "started_ticks": 1, "boot_id": "b"}'])
async def test_damaged_record_ends_nobody(tmp_path: Path, content: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(content)
    await end_leftover(path, LocalExecutor({}), 5.0)
    assert not path.exists()


def test_process_that_is_gone_leaves_no_record(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait(30)
    record_process(tmp_path / "site.json", done.pid)
    assert read_process(tmp_path / "site.json") is None
