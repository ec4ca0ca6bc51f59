"""Reading /proc."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keisan.executors import process_table
from keisan.executors.process_table import find_process, list_own_pids, read_arguments
from keisan.kit.clock import read_boot_id
from tests.deadline import wait_until

# Fields 3 to 24 of proc_pid_stat(5), of a process whose name holds spaces and brackets.
STAT = "7 (a ) (b) {state} 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 {threads} 0 4242 1000 200\n"


@pytest.fixture
def process_folder_stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "7").mkdir()
    monkeypatch.setattr(process_table, "PROC", tmp_path)
    return tmp_path / "7" / "stat"


@pytest.mark.parametrize("status", ["S 1 runs", "R 9 runs", "Z 2 runs", "Z 1 ended", "X 1 ended"])
def test_state_is_read_past_any_name(process_folder_stat: Path, status: str) -> None:
    state, threads, expected = status.split()
    process_folder_stat.write_text(STAT.format(state=state, threads=threads))
    facts = find_process(7, "boot")
    assert facts is not None
    assert (facts.identity.pid, facts.identity.started_ticks, facts.identity.boot_id) == (7, 4242, "boot")
    assert facts.session == 7
    assert facts.is_running is (expected == "runs")


def test_this_process_is_found_with_its_session() -> None:
    facts = find_process(os.getpid(), read_boot_id())
    assert facts is not None
    assert facts.is_running
    assert facts.session == os.getsid(0)


def test_nobody_has_a_pid_beyond_the_last() -> None:
    beyond = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    assert find_process(beyond, "boot") is None
    assert read_arguments(beyond) == ()


def test_arguments_and_own_pids_of_a_child() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()", "an argument"], stdin=subprocess.PIPE)
    try:
        wait_until(lambda: "an argument" in read_arguments(child.pid), "it has its arguments")
        assert child.pid in list_own_pids()
        assert os.getpid() not in list_own_pids()
    finally:
        child.communicate(b"\n")
    assert read_arguments(child.pid) == ()
