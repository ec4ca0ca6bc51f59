"""Many platforms in one folder: who holds it, what their processes are told, and how the run ends."""

import io
import os
import signal
import sys
from pathlib import Path

import pytest

from keisan.cli.exit_code import ExitCode
from keisan.daemon.folder import lock_folder, prepare_folder
from keisan.daemon.nation import Nation, NationStep, build_environment, hold_folders, run_nation
from keisan.daemon.nation_plan import plan_nation
from keisan.domain.errors import Failed, StateConflict
from tests.daemon.nation_stage import build_request


async def test_steps_come_in_order_and_ctrl_c_ends_the_last(tmp_path: Path) -> None:
    seen: list[str] = []

    async def look(nation: Nation) -> None:
        seen.append(nation.national.plan.code)
        assert [each.folder.root.name for each in nation.platforms] == ["CN", "CN-SX", "CN-LN"]
        assert [each.settings.platform.name for each in nation.platforms] == ["National", "Shanxi", "Liaoning"]

    async def press_ctrl_c(nation: Nation) -> None:
        seen.append("last")
        os.kill(os.getpid(), signal.SIGINT)
        await nation.national.supervisor.stopping.wait()
        await nation.clock.sleep(3600)

    screen = io.StringIO()
    steps = (NationStep("looking", look), NationStep("going on", press_ctrl_c))
    assert await run_nation(build_request(tmp_path, *steps, screen=screen)) is ExitCode.OK
    assert seen == ["CN", "last"]
    assert screen.getvalue().splitlines() == [
        "keisan: 1/2 looking",
        "keisan: 2/2 going on",
        "keisan: stopping",
        "keisan: stopped",
    ]


async def test_run_ends_as_its_last_step_says(tmp_path: Path) -> None:
    async def end(nation: Nation) -> None:
        nation.outcome = ExitCode.FAILED
        nation.national.supervisor.stopping.set()

    assert await run_nation(build_request(tmp_path, NationStep("ending", end))) is ExitCode.FAILED


async def test_failing_step_ends_all_and_is_told(tmp_path: Path) -> None:
    async def fail(_: Nation) -> None:
        raise Failed("no good")

    with pytest.raises(Failed, match="no good"):
        await run_nation(build_request(tmp_path, NationStep("failing", fail)))
    with hold_folders(tmp_path, plan_nation(2)):
        pass


def test_folder_of_one_platform_in_use_keeps_the_nation_out(tmp_path: Path) -> None:
    plans = plan_nation(1)
    with (
        lock_folder(prepare_folder(tmp_path / "CN-SX")),
        pytest.raises(StateConflict),
        hold_folders(tmp_path, plans),
    ):
        pass
    with hold_folders(tmp_path, plans), pytest.raises(StateConflict), hold_folders(tmp_path, plans):
        pass


@pytest.mark.parametrize("keeps_nothing", [True, False])
def test_processes_are_told_nothing_of_this_one_s_settings(
    keeps_nothing: bool,  # pytest gives it by name
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("KEISAN_PLATFORM__LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", keeps_nothing)
    environment = build_environment(tmp_path)
    assert "KEISAN_PLATFORM__LISTEN" not in environment
    assert environment.get("PYTHONPYCACHEPREFIX") == (str(tmp_path / "bytecode") if keeps_nothing else None)
    assert ("PYTHONDONTWRITEBYTECODE" in environment) != keeps_nothing
