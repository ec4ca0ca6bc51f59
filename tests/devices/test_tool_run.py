"""Tools run within bounds; real processes."""

import os
from pathlib import Path

import pytest

from keisan.devices import tool_run
from keisan.devices.tool_run import LocalRunner
from keisan.domain.errors import DevicesUnreadable
from keisan.executors.process_table import find_process
from keisan.kit.clock import SystemClock
from tests.deadline import wait_until
from tests.devices.sample_files import install_script

TOOL = "some-smi"


def build_runner(folder: Path, **environment: str) -> LocalRunner:
    return LocalRunner({"PATH": f"{folder}:{os.environ['PATH']}", **environment}, SystemClock())


def test_both_ways_of_speaking_and_the_status_are_kept(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, 'echo "told $1 $2"; echo warned >&2; exit 3\n')
    output = build_runner(tmp_path).run(str(path), ("a b", "c"), 30.0)
    assert (output.exit_code, output.text, output.words) == (3, "told a b c\n", "warned\n")
    assert output.explain() == "status 3: warned"


def test_a_command_is_found_on_the_path_of_the_environment(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, "exit 0\n")
    assert build_runner(tmp_path).find(TOOL) == str(path)
    assert build_runner(tmp_path / "none").find(TOOL) is None


def test_a_tool_gets_no_secrets_and_writes_numbers_with_points(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, 'echo "$KEISAN_API_KEY,$OTHER,$LC_ALL"\n')
    runner = build_runner(tmp_path, KEISAN_API_KEY="secret", OTHER="x", LC_ALL="de_DE.UTF-8")
    assert runner.run(str(path), (), 30.0).text == ",x,C\n"


def test_one_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    path = install_script(
        tmp_path, TOOL, "sleep 60 & echo $! > child; wait\n".replace("child", str(tmp_path / "child"))
    )
    with pytest.raises(DevicesUnreadable, match="did not answer within"):
        build_runner(tmp_path).run(str(path), (), 5.0)
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: (facts := find_process(child, "")) is None or not facts.is_running, "its child has ended")


def test_one_that_closes_its_mouth_and_stays_is_ended_too(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, "exec >&- 2>&-; exec sleep 60\n")
    with pytest.raises(DevicesUnreadable, match="did not end"):
        build_runner(tmp_path).run(str(path), (), 5.0)


def test_output_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_run, "OUTPUT_BYTES_MAX", 1000)
    path = install_script(tmp_path, TOOL, "exec yes\n")
    with pytest.raises(DevicesUnreadable, match="more than 1000 bytes"):
        build_runner(tmp_path).run(str(path), (), 20.0)


def test_one_that_cannot_start_is_told(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, "")
    path.chmod(0o644)
    with pytest.raises(DevicesUnreadable, match="could not be started"):
        build_runner(tmp_path).run(str(path), (), 30.0)


class DeafProcess:
    """A process that even SIGKILL does not end, as one that waits for a broken driver."""

    pid = 1

    def __init__(self) -> None:
        self.is_over = False

    def poll(self) -> int | None:
        return 0 if self.is_over else None


def test_none_is_started_beside_one_that_still_hangs(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, "echo told\n")
    runner = build_runner(tmp_path)
    deaf = DeafProcess()
    runner._stuck[str(path)] = deaf  # type: ignore[assignment]  # no process can be made deaf on purpose
    with pytest.raises(DevicesUnreadable, match="still hangs"):
        runner.run(str(path), (), 30.0)
    deaf.is_over = True
    assert runner.run(str(path), (), 30.0).text == "told\n"


def test_bytes_that_are_no_text_are_shown_as_such(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, r"printf 'a\377b'" + "\n")
    assert build_runner(tmp_path).run(str(path), (), 30.0).text == "a\N{REPLACEMENT CHARACTER}b"


def test_a_fault_without_words_is_told_as_such(tmp_path: Path) -> None:
    path = install_script(tmp_path, TOOL, "exit 9\n")
    assert build_runner(tmp_path).run(str(path), (), 30.0).explain() == "status 9: it said nothing"
