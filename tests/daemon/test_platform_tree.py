"""What is left of an earlier tree is ended, exactly that, and a key counts as shown only if there was one."""

import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from keisan.daemon.first_start import FirstStart, ensure_operator
from keisan.daemon.folder import prepare_folder
from keisan.daemon.platform_tree import Brought, end_engines, end_leftovers, note_shown
from keisan.daemon.process_file import record_process
from keisan.daemon.progress import Progress
from keisan.daemon.welcome import Ready
from keisan.domain.key import Secret

WAIT = [sys.executable, "-c", "import time; time.sleep(600)"]


async def test_only_recorded_processes_are_ended(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "data")
    screen = io.StringIO()
    with subprocess.Popen(WAIT) as left, subprocess.Popen(WAIT) as stranger:
        try:
            record_process(folder.processes / "site.json", left.pid)
            await end_leftovers(folder, Progress(Console(file=screen)))
            # Whoever ended it may have waited for it too, so its code tells nothing.
            left.wait(10)
            assert stranger.poll() is None
        finally:
            left.kill()
            stranger.kill()
    assert screen.getvalue() == "keisan: ending the site of an earlier start\n"
    assert not list(folder.processes.iterdir())


async def test_engines_of_a_folder_are_killed_and_no_others(tmp_path: Path) -> None:
    folders = [prepare_folder(tmp_path / name) for name in ("one", "other")]
    words = [[*WAIT, str(folder.site / "run" / "engine.json")] for folder in folders]
    with (
        subprocess.Popen(words[0], start_new_session=True) as own,
        subprocess.Popen(words[1], start_new_session=True) as other,
    ):
        try:
            await end_engines(folders[0])
            own.wait(10)
            assert other.poll() is None
        finally:
            own.kill()
            other.kill()


def test_key_counts_as_shown_once_there_was_one(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "data")
    made = ensure_operator(folder)
    for key, is_shown in ((None, False), (Secret("sk-keisan-x"), True)):
        note_shown(folder, Brought(Ready("", "", key, "a model"), made, ""))
        assert ensure_operator(folder) == FirstStart(made.operator, is_key_shown=is_shown)
