"""A supervisor over tiny real processes in a folder of their own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from keisan.daemon.child import Child, ChildPlan
from keisan.daemon.supervisor import Supervisor
from keisan.kit.clock import SystemClock
from keisan.kit.retry import Backoff

# Announces itself, then waits; on SIGTERM it notes its name in the journal and ends.
OBEDIENT = """
import json, os, signal, sys, time
name, journal = sys.argv[1:3]
def end(*_):
    with open(journal, "a") as file:
        file.write(name + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print(json.dumps({"name": name, "pid": os.getpid(), "session": os.getsid(0)}), flush=True)
while True:
    time.sleep(60)
"""
STUBBORN = OBEDIENT.replace("signal.SIGTERM, end", "signal.SIGTERM, signal.SIG_IGN")
QUICK = Backoff(first_s=0.01, factor=1.0, most_s=0.01)


@dataclass
class Tree:
    folder: Path
    supervisor: Supervisor
    pids: list[int] = field(default_factory=list)

    def start(self, name: str, script: str = OBEDIENT, stop_s: float = 10.0) -> Child:
        command = (sys.executable, "-c", script, name, str(self.folder / "journal"))
        plan = ChildPlan(
            name=name,
            command=lambda: command,
            environment=dict(os.environ),
            log_path=self.folder / f"{name}.log",
            process_path=self.folder / f"{name}.json",
            stop_s=stop_s,
        )
        child = Child(plan, SystemClock(), QUICK)
        self.supervisor.start(child)
        return child

    def read_journal(self) -> list[str]:
        return (self.folder / "journal").read_text().split() if (self.folder / "journal").exists() else []


@asynccontextmanager
async def run_tree(folder: Path) -> AsyncIterator[Tree]:
    async with asyncio.TaskGroup() as group:
        tree = Tree(folder, Supervisor(group))
        try:
            yield tree
        finally:
            tree.supervisor.killing.set()
            await tree.supervisor.stop_all(())


async def wait_announced(*children: Child) -> None:
    for child in children:
        async with asyncio.timeout(30):
            await child.announced.wait()
