"""`keisan up`: platform, gateway and site as one supervised tree in one data directory, until Ctrl-C."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.daemon.folder import DataFolder
from keisan.daemon.platform_tree import (
    STOP_ORDER,
    PlatformTree,
    TreePlan,
    end_engines,
    end_leftovers,
    note_shown,
)
from keisan.daemon.progress import Progress
from keisan.daemon.serving import find_first
from keisan.daemon.settings import Settings
from keisan.daemon.supervisor import Supervisor
from keisan.daemon.welcome import Ready, print_ready
from keisan.domain.errors import KeisanError
from keisan.executors.local import rotate_log
from keisan.kit.clock import Clock, SystemClock
from keisan.kit.observe import start_logs


@dataclass(frozen=True, slots=True)
class UpRequest:
    """`options` go to every child as they came; `show` prints what is ready, and returns when that is out."""

    settings: Settings
    folder: DataFolder
    options: tuple[str, ...]
    show: Callable[[Ready], None]
    progress: Progress
    clock: Clock


async def start_up(settings: Settings, folder: DataFolder, options: tuple[str, ...], is_json: bool) -> ExitCode:
    """Run everything in a folder whose lock the caller holds; raises as run_up does."""
    log = folder.locate_log("up")
    rotate_log(log)
    with log.open("a") as stream:
        start_logs("up", settings.log_level, stream)
        request = UpRequest(
            settings=settings,
            folder=folder,
            options=options,
            show=partial(print_ready, is_json=is_json),
            progress=Progress(Console(stderr=is_json, emoji=False)),
            clock=SystemClock(),
        )
        return await run_up(request)


async def run_up(request: UpRequest) -> ExitCode:
    """Start everything, show it, wait for Ctrl-C, end everything; the caller holds the folder's lock.

    Raises KeisanError for what keeps it from starting, after all that did start has ended.
    """
    await end_leftovers(request.folder, request.progress)
    fault: KeisanError | None = None
    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(group)
        with supervisor.handle_signals():
            fault = await run_until_stopped(_bring_up(request, supervisor), supervisor.stopping)
            request.progress.tell("stopping")
            await supervisor.stop_all(STOP_ORDER)
    if supervisor.killing.is_set():
        await end_engines(request.folder)
    request.progress.finish("keisan: stopped")
    if fault is not None:
        raise fault
    return ExitCode.INTERRUPTED if supervisor.killing.is_set() else ExitCode.OK


async def run_until_stopped(work: Awaitable[None], stopping: asyncio.Event) -> KeisanError | None:
    """Return when `stopping` is set, whether `work` has ended or not, or with what made it fail."""

    async def run() -> None:
        await work

    try:
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(run())
            await stopping.wait()
            starting.cancel()
    except BaseExceptionGroup as faults:
        first = find_first(faults)
        if not isinstance(first, KeisanError):
            raise
        return first
    return None


async def _bring_up(request: UpRequest, supervisor: Supervisor) -> None:
    plan = TreePlan(request.settings, request.folder, request.options, request.progress, request.clock)
    brought = await PlatformTree(plan, supervisor).bring_up()
    request.progress.finish()
    request.show(brought.ready)
    note_shown(request.folder, brought)
    if brought.late:
        request.progress.finish(f"keisan: not ready yet: {brought.late}")
