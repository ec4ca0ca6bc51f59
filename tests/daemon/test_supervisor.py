"""The supervisor over tiny real processes: the order of Ctrl-C, and the second Ctrl-C."""

import asyncio
import os
import signal
from pathlib import Path

from tests.daemon.tiny_tree import STUBBORN, run_tree, wait_announced


async def test_children_end_one_after_the_other(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        await wait_announced(*(tree.start(name) for name in ("platform", "site", "gateway")))
        await tree.supervisor.stop_all(("gateway", "site", "platform"))
        assert tree.read_journal() == ["gateway", "site", "platform"]


async def test_first_ctrl_c_asks_and_the_second_kills(tmp_path: Path) -> None:
    async with run_tree(tmp_path) as tree:
        child = tree.start("one", STUBBORN, stop_s=60.0)
        await wait_announced(child)
        with tree.supervisor.handle_signals():
            os.kill(os.getpid(), signal.SIGINT)
            async with asyncio.timeout(30):
                await tree.supervisor.stopping.wait()
                assert not tree.supervisor.killing.is_set()
                async with asyncio.TaskGroup() as group:
                    group.create_task(tree.supervisor.stop_all(()))
                    os.kill(os.getpid(), signal.SIGINT)
        assert child.exit_code == -signal.SIGKILL
