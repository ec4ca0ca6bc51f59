"""`keisan up`: platform, gateway and site as one supervised tree in one data directory, until Ctrl-C."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from keisan.cli.exit_code import ExitCode
from keisan.daemon.child import Child, ChildPlan
from keisan.daemon.first_start import FirstStart, ensure_first_start, mark_key_shown
from keisan.daemon.folder import DataFolder
from keisan.daemon.listener import bind_listener
from keisan.daemon.operator_file import note_gateway, read_operator
from keisan.daemon.process_file import end_leftover
from keisan.daemon.progress import Progress
from keisan.daemon.readiness import Watch, wait_for_child, wait_for_models
from keisan.daemon.serving import find_first
from keisan.daemon.settings import ListenerSection, Settings, parse_address
from keisan.daemon.supervisor import Supervisor
from keisan.daemon.welcome import Ready, print_ready
from keisan.domain.errors import Failed, KeisanError
from keisan.executors.local import LocalExecutor, rotate_log
from keisan.kit.clock import Clock, SystemClock
from keisan.kit.observe import start_logs
from keisan.sdk import AsyncKeisan

STOP_ORDER = ("gateway", "site", "platform")
# What is left of an earlier tree: a gateway drains, a site's agent is killed so that its engines live on and are adopted.
LEFTOVER_GRACE_S: Mapping[str, float] = {"gateway": 10.0, "site": 0.0, "platform": 5.0}
UPLOAD_MARGIN_S = 20.0
SITE_STOP_S = 30.0
PLATFORM_STOP_S = 15.0


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
    await _end_leftovers(request)
    fault: KeisanError | None = None
    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(group)
        with supervisor.handle_signals():
            fault = await _bring_up_until_stopped(_Tree(request, supervisor), supervisor.stopping)
            request.progress.tell("stopping")
            await supervisor.stop_all(STOP_ORDER)
    await _end_engines(request, supervisor)
    request.progress.finish("keisan: stopped")
    if fault is not None:
        raise fault
    return ExitCode.INTERRUPTED if supervisor.killing.is_set() else ExitCode.OK


async def _bring_up_until_stopped(tree: "_Tree", stopping: asyncio.Event) -> KeisanError | None:
    """Return when Ctrl-C came, or with what kept it from starting."""
    try:
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(tree.bring_up())
            await stopping.wait()
            starting.cancel()
    except BaseExceptionGroup as faults:
        first = find_first(faults)
        if not isinstance(first, KeisanError):
            raise
        return first
    return None


class _Tree:
    """The three children of one `keisan up` and the order of their start."""

    def __init__(self, request: UpRequest, supervisor: Supervisor) -> None:
        self._request = request
        self._supervisor = supervisor
        self._watch = Watch(request.folder, request.clock.now(), request.clock, request.progress)

    async def bring_up(self) -> None:
        """Start all, wait until a call would be answered, and show it."""
        request = self._request
        settings, folder = request.settings, request.folder
        for address in (settings.platform.listen, settings.gateway.listen):
            # Told here, before anything starts; the child then takes it itself.
            bind_listener(address).close()
        made, developer = ensure_first_start(folder, request.clock)
        platform_url = await self._start_listening("platform", settings.platform, ())
        link = ("--platform-url", platform_url, *self._trust())
        self._add("site", lambda: (*link, *self._name_token("site"), "--stop-replicas"), SITE_STOP_S)
        gateway_url = await self._start_listening("gateway", settings.gateway, (*link, *self._name_token("gateway")))
        note_gateway(folder.operator_path, gateway_url)
        late = await self._wait_for_models(platform_url, is_first=developer is not None)
        model = settings.first_start.model
        self._show(Ready(gateway_url, platform_url, developer, model, settings.gateway.certificate), made)
        if late:
            request.progress.finish(f"keisan: not ready yet: {late}")

    async def _start_listening(self, name: str, listener: ListenerSection, options: tuple[str, ...]) -> str:
        taken = {"listen": str(listener.listen)}
        drain_s = self._request.settings.gateway.drain_s + UPLOAD_MARGIN_S
        stop_s = drain_s if name == "gateway" else PLATFORM_STOP_S
        fixed = (*_list_tls(listener), *options)
        child = self._add(name, lambda: ("--listen", taken["listen"], *fixed), stop_s)
        url = await wait_for_child(child, self._watch)
        # A restart answers where the first start did, also when that was a free port.
        taken["listen"] = str(parse_address(url.partition("://")[2]))
        return url

    def _add(self, name: str, options: Callable[[], tuple[str, ...]], stop_s: float) -> Child:
        folder = self._request.folder
        log_path = folder.locate_log(name)
        rotate_log(log_path)
        shared = ("--data", str(folder.root), "--log", str(log_path), *self._request.options)
        plan = ChildPlan(
            name=name,
            command=lambda: (sys.executable, "-m", "keisan.daemon.main", name, *shared, *options()),
            environment=os.environ,
            log_path=log_path,
            process_path=folder.processes / f"{name}.json",
            stop_s=stop_s,
        )
        child = Child(plan, self._request.clock)
        self._supervisor.start(child)
        return child

    def _name_token(self, name: str) -> tuple[str, ...]:
        return ("--join-token", str(self._request.folder.locate_join_token(name)))

    def _trust(self) -> tuple[str, ...]:
        certificate = self._request.settings.platform.certificate
        return ("--ca", str(certificate)) if certificate else ()

    async def _wait_for_models(self, platform_url: str, *, is_first: bool) -> str:
        folder, certificate = self._request.folder, self._request.settings.platform.certificate
        operator = read_operator(folder.operator_path)
        if operator is None:
            raise Failed(f"{folder.operator_path} is gone")
        ca_path = str(certificate) if certificate else None
        async with AsyncKeisan(platform_url, operator.api_key, ca_path=ca_path) as keisan:
            children = tuple(self._supervisor.children.values())
            return await wait_for_models(keisan, children, self._watch, is_first=is_first)

    def _show(self, ready: Ready, made: FirstStart) -> None:
        self._request.progress.finish()
        self._request.show(ready)
        if ready.api_key is not None:
            mark_key_shown(self._request.folder, made)


def _list_tls(listener: ListenerSection) -> tuple[str, ...]:
    options: tuple[str, ...] = ("--insecure",) if listener.insecure else ()
    if listener.certificate and listener.certificate_key:
        options += ("--certificate", str(listener.certificate), "--certificate-key", str(listener.certificate_key))
    return options


async def _end_leftovers(request: UpRequest) -> None:
    """End the children of a supervisor that was killed; engines live on, the site adopts them."""
    executor = LocalExecutor(os.environ)
    for name in STOP_ORDER:
        path = _locate_process(request.folder, name)
        if path.exists():
            request.progress.tell(f"ending the {name} of an earlier start")
            await end_leftover(path, executor, LEFTOVER_GRACE_S[name])


async def _end_engines(request: UpRequest, supervisor: Supervisor) -> None:
    """After a kill the agent could not end its engines: nothing of this tree is left running."""
    if supervisor.killing.is_set():
        executor = LocalExecutor(os.environ)
        for engine in await executor.find_owned(request.folder.site / "run"):
            await executor.stop(engine, 0.0)


def _locate_process(folder: DataFolder, name: str) -> Path:
    return folder.processes / f"{name}.json"
