"""The data directory: private, one `keisan up` at a time, and free again however that one ended."""

import subprocess
import sys
from pathlib import Path

import pytest

from keisan.daemon.folder import lock_folder, prepare_folder
from keisan.domain.errors import SettingsInvalid, StateConflict

HOLD = """
import sys, time
from pathlib import Path
from keisan.daemon.folder import lock_folder, prepare_folder
with lock_folder(prepare_folder(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(600)
"""


def test_second_one_is_told_clearly(tmp_path: Path) -> None:
    folder = prepare_folder(tmp_path / "data")
    second = pytest.raises(StateConflict, match="another `keisan up` runs in")
    with lock_folder(folder), second, lock_folder(folder):
        pass
    with lock_folder(folder):
        pass


def test_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "data")], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        folder = prepare_folder(tmp_path / "data")
        with pytest.raises(StateConflict), lock_folder(folder):
            pass
    finally:
        process.kill()
        process.communicate(timeout=10)
    with lock_folder(folder):
        pass


def test_folder_that_cannot_be_made_is_a_settings_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsInvalid, match="data directory"):
        prepare_folder(tmp_path / "file")
