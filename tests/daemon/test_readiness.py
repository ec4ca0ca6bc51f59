"""Readiness: old words are not believed, what is waited for is told, a child that keeps dying ends the wait."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx
import pytest

from keisan.daemon.child import Child
from keisan.daemon.folder import prepare_folder
from keisan.daemon.progress import Progress
from keisan.daemon.readiness import Watch, check_alive, describe_deployment, wait_for_models
from keisan.domain.errors import Failed, Unavailable
from keisan.sdk import AsyncKeisan, Connections, DeploymentView, ReplicaView

START = datetime(2026, 11, 24, tzinfo=UTC)
BEFORE, AFTER = (START - timedelta(hours=1)).isoformat(), (START + timedelta(seconds=1)).isoformat()
SITE, GATEWAY, MODEL, DEPLOYMENT = (f"01a20aeb-52ef-74d3-b434-00000000000{number}" for number in range(4))
PLATFORM = "ab" * 32


@dataclass
class Facts:
    """What the platform answers; tests change it as time passes."""

    site_reported_at: str | None = AFTER
    replica_state: str = "ready"
    gateway_seen_at: str = AFTER
    acknowledged: int = 5
    replica_count: int = 1
    steps: list[str] = field(default_factory=list)

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1")
        common: dict[str, object] = {"platform_id": PLATFORM, "version": 1, "created_at": BEFORE}
        site: dict[str, object] = {
            "id": SITE,
            "provider_id": SITE,
            "name": "local",
            "region": "JP-13",
            "verdict": "ok",
            **common,
        }
        deployment: dict[str, object] = {
            "id": DEPLOYMENT,
            "model_id": MODEL,
            "engine": "llama_cpp",
            "replica_count": self.replica_count,
            "slots": 4,
            "site_id": None,
            "state": "active",
            "reason": "",
            **common,
        }
        replica: dict[str, object] = {
            "id": MODEL,
            "deployment_id": DEPLOYMENT,
            "model_id": MODEL,
            "provider_id": SITE,
            "site_id": SITE,
        }
        replica |= {"node_id": SITE, "engine": "llama_cpp", "chip": "cpu-x86-64", "slots": 4, "verdict": "ok"}
        replica |= {"state": self.replica_state, "model_digest": "", "restart_count": 0, "message": "", **common}
        gateway: dict[str, object] = {"id": GATEWAY, "acknowledged_version": self.acknowledged, "is_connected": True}
        pages: dict[str, object] = {
            "/sites": {"items": [site | {"reported_at": self.site_reported_at}]},
            "/models": {"items": []},
            "/deployments": {"items": [deployment]},
            "/replicas": {"items": [replica | {"reported_at": AFTER}]},
            "/gateways": {"items": [gateway | {"seen_at": self.gateway_seen_at}], "snapshot_version": 5},
        }
        return httpx.Response(200, json=pages[path])


@dataclass
class SteppedClock:
    """Each wait lets one more fact become true."""

    facts: Facts
    elapsed_s: float = 0.0
    changes: list[dict[str, object]] = field(default_factory=list)

    def now(self) -> datetime:
        return START

    def monotonic_s(self) -> float:
        return self.elapsed_s

    async def sleep(self, duration_s: float) -> None:
        self.elapsed_s += max(duration_s, 1.0)
        if self.changes:
            for name, fact in self.changes.pop(0).items():
                setattr(self.facts, name, fact)


@dataclass
class Told:
    texts: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        if [text] != self.texts[-1:]:
            self.texts.append(text)


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    folder = prepare_folder(tmp_path / "data")
    (folder.site / "identity.json").write_text(f'{{"site_id": "{SITE}"}}')
    (folder.gateway / "identity.json").write_text(f'{{"machine_id": "{GATEWAY}"}}')
    return Watch(folder, START, SteppedClock(Facts()), cast("Progress", Told()))


async def wait(watch: Watch, *, is_first: bool, children: tuple[Child, ...] = ()) -> str:
    clock = cast("SteppedClock", watch.clock)
    http = httpx.AsyncClient(transport=httpx.MockTransport(clock.facts.answer), base_url="http://platform", timeout=5)
    async with AsyncKeisan.over(Connections(http)) as keisan:
        return await wait_for_models(keisan, children, watch, is_first=is_first)


def list_told(watch: Watch) -> list[str]:
    return cast("Told", watch.progress).texts


async def test_everything_there_is_no_wait(watch: Watch) -> None:
    assert await wait(watch, is_first=False) == ""
    assert list_told(watch) == []


async def test_words_of_an_earlier_start_are_not_believed(watch: Watch) -> None:
    clock = cast("SteppedClock", watch.clock)
    clock.facts.site_reported_at, clock.facts.gateway_seen_at = BEFORE, BEFORE
    clock.changes = [
        {"site_reported_at": AFTER, "replica_state": "starting"},
        {"replica_state": "ready"},
        {"gateway_seen_at": AFTER, "acknowledged": 4},
        {"acknowledged": 5},
    ]
    assert await wait(watch, is_first=False) == ""
    assert list_told(watch) == ["waiting for the site", "a model: loading the weights", "telling the gateway"]


async def test_later_start_serves_what_there_is(watch: Watch) -> None:
    cast("SteppedClock", watch.clock).facts.replica_state = "failed"
    assert await wait(watch, is_first=False) == "a model: failed"


async def test_first_start_gives_up_after_an_hour(watch: Watch) -> None:
    cast("SteppedClock", watch.clock).facts.replica_state = "failed"
    with pytest.raises(Unavailable, match="a model: failed"):
        await wait(watch, is_first=True)


async def test_copy_without_a_place_holds_up_the_first_start_only(watch: Watch) -> None:
    clock = cast("SteppedClock", watch.clock)
    clock.facts.replica_count = 2
    assert await wait(watch, is_first=False) == ""
    clock.changes = [{"replica_count": 1}]
    assert await wait(watch, is_first=True) == ""
    assert list_told(watch) == ["placing a model"]


@pytest.mark.parametrize(("deaths", "exit_code"), [(1, 2), (3, 1), (3, -9)])
async def test_child_that_keeps_dying_ends_the_wait(watch: Watch, deaths: int, exit_code: int) -> None:
    log = watch.folder.locate_log("site")
    log.write_text("the last words\n")
    plan = SimpleNamespace(name="site", log_path=log)
    child = cast("Child", SimpleNamespace(deaths=deaths, exit_code=exit_code, plan=plan))
    with pytest.raises(Failed, match="the last words"):
        await wait(watch, is_first=True, children=(child,))


@pytest.mark.parametrize(("deaths", "exit_code"), [(0, None), (1, 1), (2, -9)])
def test_one_death_is_no_fault(deaths: int, exit_code: int | None) -> None:
    check_alive(cast("Child", SimpleNamespace(deaths=deaths, exit_code=exit_code)))


def test_message_of_a_replica_is_told() -> None:
    replica = cast("ReplicaView", SimpleNamespace(state="failed", verdict="ok", message="fetching weights 45 %"))
    deployment = cast("DeploymentView", SimpleNamespace(reason="no node is known"))
    assert describe_deployment("small", deployment, [replica]) == "small: fetching weights 45 %"
    assert describe_deployment("small", deployment, []) == "placing small: no node is known"
