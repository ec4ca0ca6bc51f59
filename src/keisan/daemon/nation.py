"""Many whole platforms on this host, each with all that `keisan up` gives one, in a folder of its own within one folder.

They share nothing but this process, which starts, watches and ends theirs. What is done on the way up is nation_step.py's.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from keisan.cli.exit_code import ExitCode
from keisan.daemon.child_process import Launch
from keisan.daemon.folder import DataFolder, lock_folder, prepare_folder
from keisan.daemon.forking import open_fork_server
from keisan.daemon.nation_plan import PlatformPlan, write_settings
from keisan.daemon.nation_ports import hold_ports
from keisan.daemon.operator_file import OperatorFile, read_operator
from keisan.daemon.platform_tree import STOP_ORDER, Brought, TreePlan, end_engines, end_leftovers
from keisan.daemon.progress import Progress
from keisan.daemon.settings import Settings, load_settings
from keisan.daemon.supervisor import Supervisor
from keisan.daemon.up import run_until_stopped
from keisan.domain.errors import Failed, KeisanError
from keisan.kit.clock import Clock
from keisan.kit.private_file import create_private_folder, write_private_file
from keisan.sdk import AsyncKeisan

SETTINGS_NAME = "keisan.toml"
# Each question costs a platform what a call would; eleven that start are asked less often than one.
ASK_S = 1.0


@dataclass(slots=True)
class SilentProgress:
    """What one of many platforms does now; what is shown is the sum of all."""

    text: str = ""

    def tell(self, text: str) -> None:
        """Keep it."""
        self.text = text


@dataclass(slots=True)
class NationPlatform:
    """One platform. `brought` is None until it is up; `keys` are those of its organizations, by their names."""

    plan: PlatformPlan
    folder: DataFolder
    settings: Settings
    supervisor: Supervisor
    progress: SilentProgress = field(default_factory=SilentProgress)
    brought: Brought | None = None
    keys: dict[str, str] = field(default_factory=dict)

    def read_operator(self) -> OperatorFile:
        """Return where it answers, and its operator's key; raises Failed if that is gone."""
        kept = read_operator(self.folder.operator_path)
        if kept is None or kept.platform_url is None:
            raise Failed(f"{self.folder.operator_path} is gone")
        return kept

    def open_as_operator(self) -> AsyncKeisan:
        """Return a client with its operator's key; the caller closes it. Raises Failed as read_operator does."""
        kept = self.read_operator()
        return AsyncKeisan(str(kept.platform_url), kept.api_key)


@dataclass(slots=True)
class Nation:
    """All platforms, the national one first. `outcome` is what the run ends with, unless it fails or is killed.

    `launch` starts their processes; `exits` is closed when all have ended.
    """

    root: Path
    platforms: tuple[NationPlatform, ...]
    progress: Progress
    clock: Clock
    environment: Mapping[str, str]
    launch: Launch
    outcome: ExitCode = ExitCode.OK
    exits: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def national(self) -> NationPlatform:
        """Return the national platform."""
        return self.platforms[0]

    def plan_tree(self, platform: NationPlatform) -> TreePlan:
        """Return with what the processes of a platform are started."""
        options = ("--config", str(platform.folder.root / SETTINGS_NAME))
        return TreePlan(
            settings=platform.settings,
            folder=platform.folder,
            options=options,
            progress=platform.progress,
            clock=self.clock,
            environment=self.environment,
            ask_s=ASK_S,
            launch=self.launch,
        )


@dataclass(frozen=True, slots=True)
class NationStep:
    """One step on the way up; the last ones go on until they are cancelled, or set `stopping` themselves."""

    name: str
    work: Callable[[Nation], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class NationRequest:
    """What to run, in which folder."""

    root: Path
    plans: Sequence[PlatformPlan]
    steps: Sequence[NationStep]
    progress: Progress
    clock: Clock


async def run_nation(request: NationRequest) -> ExitCode:
    """Take all steps, and end everything when Ctrl-C comes or the last step has had its way.

    Raises StateConflict if another one runs in the folder, and KeisanError for what makes a step fail, after all that did
    start has ended.
    """
    environment = build_environment(request.root)
    with hold_folders(request.root, request.plans) as folders, ExitStack() as held:
        for folder in folders:
            await end_leftovers(folder, request.progress)
        async with open_fork_server(request.root, environment) as forking, asyncio.TaskGroup() as group:
            platforms = build_platforms(request.plans, folders, group, held)
            nation = Nation(request.root, platforms, request.progress, request.clock, environment, forking.launch)
            supervisor = nation.national.supervisor
            with supervisor.handle_signals():
                async with nation.exits:
                    fault = await run_until_stopped(_take_steps(nation, request.steps), supervisor.stopping)
                    request.progress.tell("stopping")
                    await _stop_all(nation)
        if supervisor.killing.is_set():
            for folder in folders:
                await end_engines(folder)
    request.progress.finish("keisan: stopped")
    if isinstance(fault, KeisanError):
        raise fault
    return ExitCode.INTERRUPTED if supervisor.killing.is_set() else nation.outcome


@contextmanager
def hold_folders(root: Path, plans: Sequence[PlatformPlan]) -> Iterator[tuple[DataFolder, ...]]:
    """Make and lock the folder of the nation and of each platform in it; raises StateConflict if one is in use."""
    create_private_folder(root)
    with ExitStack() as stack:
        stack.enter_context(lock_folder(DataFolder(root)))
        folders = tuple(prepare_folder(root / plan.code) for plan in plans)
        for folder in folders:
            stack.enter_context(lock_folder(folder))
        yield folders


def build_platforms(
    plans: Sequence[PlatformPlan], folders: Sequence[DataFolder], group: asyncio.TaskGroup, held: ExitStack
) -> tuple[NationPlatform, ...]:
    """Return the platforms with their settings written, and their ports held; Ctrl-C for one is Ctrl-C for all."""
    first = Supervisor(group)
    platforms = []
    for plan, folder in zip(plans, folders, strict=True):
        path = folder.root / SETTINGS_NAME
        write_private_file(path, write_settings(plan, hold_ports(folder.root / "ports.json", held)).encode())
        settings = load_settings({"data_directory": folder.root}, {}, path)
        supervisor = Supervisor(group, stopping=first.stopping, killing=first.killing)
        platforms.append(NationPlatform(plan, folder, settings, supervisor))
    return tuple(platforms)


def build_environment(root: Path) -> dict[str, str]:
    """Return the environment of all processes: this one's without settings of keisan, which are in the settings files.

    Where Python may keep nothing compiled beside the code, it does in `root`, or each process would compile all of it.
    """
    environment = {name: text for name, text in os.environ.items() if not name.startswith("KEISAN_")}
    if sys.dont_write_bytecode:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(root / "bytecode")
    return environment


async def _take_steps(nation: Nation, steps: Sequence[NationStep]) -> None:
    for number, step in enumerate(steps, start=1):
        nation.progress.tell(f"{number}/{len(steps)} {step.name}")
        await step.work(nation)


async def _stop_all(nation: Nation) -> None:
    async with asyncio.TaskGroup() as group:
        for platform in nation.platforms:
            group.create_task(platform.supervisor.stop_all(STOP_ORDER))
