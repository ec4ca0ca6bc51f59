"""A started process has a session, a log and an environment of its own, and what it prints is read."""

import os
import signal
import sys
from pathlib import Path

from keisan.daemon.child_process import ChildOrder, spawn

TELL = """
import os, sys, time
print("told", file=sys.stderr, flush=True)
print(os.getsid(0), os.environ["GREETING"], sys.stdin.read() == "", flush=True)
time.sleep(60)
"""


async def test_started_process_is_its_own(tmp_path: Path) -> None:
    environment = dict(os.environ) | {"GREETING": "hello"}
    process = await spawn(ChildOrder("one", (sys.executable, "-c", TELL), environment, tmp_path / "one.log"))
    assert process.stdout is not None
    assert (await process.stdout.readline()).decode().split() == [str(process.pid), "hello", "True"]
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    assert (tmp_path / "one.log").read_text() == "told\n"
    assert (tmp_path / "one.log").stat().st_mode & 0o077 == 0
