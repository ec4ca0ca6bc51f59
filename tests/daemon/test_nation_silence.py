"""An agent is stopped for a while and goes on, whatever happens meanwhile; counts of regions are added up."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from keisan.daemon.nation import Nation, NationPlatform, NationStep, run_nation
from keisan.daemon.nation_silence import Counts, add_up, stop_agent
from keisan.domain.errors import Failed
from keisan.domain.roll_up import CountName
from keisan.wire.telemetry import RollUpList, RollUpView
from tests.daemon.nation_stage import build_request
from tests.deadline import wait_until


class Agent:
    """A child of a supervisor, as far as its pid."""

    def __init__(self, process_id: int | None) -> None:
        self.process_id = process_id


async def test_agent_is_stopped_and_always_goes_on(tmp_path: Path) -> None:
    def fail_while_stopped(platform: NationPlatform, process_id: int) -> None:
        with stop_agent(platform):
            wait_until(lambda: psutil.Process(process_id).status() == "stopped", "it is stopped")
            raise Failed("meanwhile")

    async def run(nation: Nation) -> None:
        platform = nation.national
        with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
            try:
                platform.supervisor.children["site"] = Agent(process.pid)  # type: ignore[assignment]  # as above
                with pytest.raises(Failed, match="meanwhile"):
                    fail_while_stopped(platform, process.pid)
                wait_until(lambda: psutil.Process(process.pid).status() != "stopped", "it goes on")
            finally:
                process.kill()
        platform.supervisor.children["site"] = Agent(None)  # type: ignore[assignment]  # as above
        with pytest.raises(Failed, match="does not run"), stop_agent(platform):
            pass
        platform.supervisor.children.clear()
        platform.supervisor.stopping.set()

    await run_nation(build_request(tmp_path, NationStep("stopping one", run)))


def test_counts_of_all_regions_are_added_up() -> None:
    views = [
        RollUpView.model_construct(counts={CountName.OK: ok, CountName.UNKNOWN: 2, CountName.DEVICES: ok + 2})
        for ok in (1, 5)
    ]
    found = RollUpList.model_construct(taken_at=datetime(2026, 11, 27, tzinfo=UTC), items=tuple(views))
    assert add_up(found) == Counts(ok=6, unknown=4, devices=10)
