"""The three processes of one platform in one data directory: started in order, waited for, ended; engines with them at the end.

`keisan up` runs one of these, `keisan demo nation` one for each platform.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keisan.daemon.child import Child, ChildPlan
from keisan.daemon.child_process import COMMAND, Launch, spawn
from keisan.daemon.first_start import FirstStart, ensure_first_start, mark_key_shown
from keisan.daemon.folder import DataFolder
from keisan.daemon.listener import bind_listener
from keisan.daemon.operator_file import note_gateway, read_operator
from keisan.daemon.process_file import end_leftover
from keisan.daemon.progress import Telling
from keisan.daemon.readiness import ASK_S, Watch, wait_for_child, wait_for_models
from keisan.daemon.settings import ListenerSection, Settings
from keisan.daemon.settings_address import parse_address
from keisan.daemon.supervisor import Supervisor
from keisan.daemon.welcome import Ready
from keisan.domain.errors import Failed
from keisan.executors.local import LocalExecutor, rotate_log
from keisan.kit.clock import Clock
from keisan.sdk import AsyncKeisan

STOP_ORDER = ("gateway", "site", "platform")
# What is left of an earlier tree: a gateway drains, a site's agent is killed so that its engines live on and are adopted.
LEFTOVER_GRACE_S: Mapping[str, float] = {"gateway": 10.0, "site": 0.0, "platform": 5.0}
UPLOAD_MARGIN_S = 20.0
SITE_STOP_S = 30.0
PLATFORM_STOP_S = 15.0


@dataclass(frozen=True, slots=True)
class TreePlan:
    """What to run: `options` go to every process as they came, `environment` is theirs, `launch` starts them.

    `ask_s` is as a Watch has it.
    """

    settings: Settings
    folder: DataFolder
    options: tuple[str, ...]
    progress: Telling
    clock: Clock
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    ask_s: float = ASK_S
    launch: Launch = spawn


@dataclass(frozen=True, slots=True)
class Brought:
    """What is up. `late` says in words what is not ready yet, "" where everything is; `made` is what the first start made."""

    ready: Ready
    made: FirstStart
    late: str


class PlatformTree:
    """Platform, site and gateway of one data directory, and the order of their start."""

    def __init__(self, plan: TreePlan, supervisor: Supervisor) -> None:
        self._plan = plan
        self._supervisor = supervisor
        self._watch = Watch(plan.folder, plan.clock.now(), plan.clock, plan.progress, plan.ask_s)

    async def bring_up(self) -> Brought:
        """Start all, and return once a call would be answered; raises KeisanError for what keeps one from starting."""
        settings, folder = self._plan.settings, self._plan.folder
        for address in (settings.platform.listen, settings.gateway.listen):
            # Told here, before anything starts; the child then takes it itself.
            bind_listener(address).close()
        made, developer = ensure_first_start(folder, self._plan.clock)
        platform_url = await self._start_listening("platform", settings.platform, ())
        link = ("--platform-url", platform_url, *self._trust())
        self._add("site", lambda: (*link, *self._name_token("site"), "--stop-replicas"), SITE_STOP_S)
        gateway_url = await self._start_listening("gateway", settings.gateway, (*link, *self._name_token("gateway")))
        note_gateway(folder.operator_path, gateway_url)
        late = await self._wait_for_models(platform_url, is_first=developer is not None)
        model = settings.first_start.model
        ready = Ready(gateway_url, platform_url, developer, model, settings.gateway.certificate)
        return Brought(ready, made, late)

    async def _start_listening(self, name: str, listener: ListenerSection, options: tuple[str, ...]) -> str:
        taken = {"listen": str(listener.listen)}
        drain_s = self._plan.settings.gateway.drain_s + UPLOAD_MARGIN_S
        stop_s = drain_s if name == "gateway" else PLATFORM_STOP_S
        fixed = (*_list_tls(listener), *options)
        child = self._add(name, lambda: ("--listen", taken["listen"], *fixed), stop_s)
        url = await wait_for_child(child, self._watch)
        # A restart answers where the first start did, also when that was a free port.
        taken["listen"] = str(parse_address(url.partition("://")[2]))
        return url

    def _add(self, name: str, options: Callable[[], tuple[str, ...]], stop_s: float) -> Child:
        folder = self._plan.folder
        log_path = folder.locate_log(name)
        rotate_log(log_path)
        shared = ("--data", str(folder.root), "--log", str(log_path), *self._plan.options)
        plan = ChildPlan(
            name=name,
            command=lambda: (*COMMAND, name, *shared, *options()),
            environment=self._plan.environment,
            log_path=log_path,
            process_path=folder.processes / f"{name}.json",
            stop_s=stop_s,
            launch=self._plan.launch,
        )
        child = Child(plan, self._plan.clock)
        self._supervisor.start(child)
        return child

    def _name_token(self, name: str) -> tuple[str, ...]:
        return ("--join-token", str(self._plan.folder.locate_join_token(name)))

    def _trust(self) -> tuple[str, ...]:
        certificate = self._plan.settings.platform.certificate
        return ("--ca", str(certificate)) if certificate else ()

    async def _wait_for_models(self, platform_url: str, *, is_first: bool) -> str:
        folder, certificate = self._plan.folder, self._plan.settings.platform.certificate
        operator = read_operator(folder.operator_path)
        if operator is None:
            raise Failed(f"{folder.operator_path} is gone")
        ca_path = str(certificate) if certificate else None
        async with AsyncKeisan(platform_url, operator.api_key, ca_path=ca_path) as keisan:
            children = tuple(self._supervisor.children.values())
            return await wait_for_models(keisan, children, self._watch, is_first=is_first)


def note_shown(folder: DataFolder, brought: Brought) -> None:
    """Note that the developer's key has been shown, if there was one to show."""
    if brought.ready.api_key is not None:
        mark_key_shown(folder, brought.made)


async def end_leftovers(folder: DataFolder, progress: Telling) -> None:
    """End the children of a supervisor that was killed; engines live on, the site adopts them."""
    executor = LocalExecutor(os.environ)
    for name in STOP_ORDER:
        path = folder.processes / f"{name}.json"
        if path.exists():
            progress.tell(f"ending the {name} of an earlier start")
            await end_leftover(path, executor, LEFTOVER_GRACE_S[name])


async def end_engines(folder: DataFolder) -> None:
    """Kill a folder's engines: after its agent was killed, which could not."""
    executor = LocalExecutor(os.environ)
    for engine in await executor.find_owned(folder.site / "run"):
        await executor.stop(engine, 0.0)


def _list_tls(listener: ListenerSection) -> tuple[str, ...]:
    options: tuple[str, ...] = ("--insecure",) if listener.insecure else ()
    if listener.certificate and listener.certificate_key:
        options += ("--certificate", str(listener.certificate), "--certificate-key", str(listener.certificate_key))
    return options
