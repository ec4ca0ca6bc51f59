"""A site with a real engine, whose agent is a process of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from keisan.agent.folder import prepare_folder
from keisan.agent.state import load_state
from keisan.devices.node import read_node
from keisan.domain.replica import ReplicaState
from keisan.domain.verdict import Verdict
from keisan.engines.llama_cpp import LlamaCpp
from keisan.executors.base import ProcessIdentity
from keisan.executors.local import LocalExecutor
from keisan.wire.site import OrderAction, ReplicaOrder
from tests.agent.site_fakes import REPLICA_ID
from tests.agent.small_platform import SmallPlatform
from tests.deadline import wait_until
from tests.smollm2 import RealModel

READY_DEADLINE_S = 60.0
ROOT = Path(__file__).parents[2]


class RealSite:
    """A site with the real model, its agent a process that can be killed."""

    def __init__(self, platform: SmallPlatform, directory: Path, model: RealModel) -> None:
        self.platform = platform
        self.folder = prepare_folder(directory)
        self._agent: subprocess.Popen[bytes] | None = None
        facts = model.facts
        platform.orders[REPLICA_ID] = ReplicaOrder(
            replica_id=REPLICA_ID,
            action=OrderAction.RUN,
            model_name=facts.name,
            engine="llama_cpp",
            node_hardware_id=read_node("none").hardware_id,
            slots=1,
            context_tokens=256,
            weights=f"path:{model.path}",
            weights_sha256=facts.weights_sha256,
            weights_bytes=facts.weights_bytes,
        )

    def start_agent(self, *options: str) -> None:
        command = (sys.executable, "-m", "tests.agent.site_process", self.platform.url, str(self.folder.root))
        with (self.folder.root / "agent.log").open("ab") as log:
            self._agent = subprocess.Popen((*command, *options), cwd=ROOT, stderr=log)

    def end_agent(self, number: signal.Signals) -> None:
        assert self._agent is not None
        self._agent.send_signal(number)
        self._agent.wait(30)
        self._agent = None

    def find_process(self) -> ProcessIdentity:
        launch = load_state(self.folder.state_path).records[REPLICA_ID].launch
        assert launch is not None
        return launch.process

    def wait_for(self, state: ReplicaState) -> None:
        """Wait until a report that begins after this call tells the state."""
        self.platform.reports.clear()
        wait_until(lambda: self.platform.is_told(REPLICA_ID, state), f"{state} is told", READY_DEADLINE_S)

    async def probe(self) -> Verdict:
        return (await LlamaCpp().probe(self.folder.locate_socket(REPLICA_ID))).verdict

    async def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self._agent is not None:
            self.end_agent(signal.SIGKILL)
        executor = LocalExecutor(os.environ)
        for process in await executor.find_owned(self.folder.run):
            await executor.stop(process, 5)
