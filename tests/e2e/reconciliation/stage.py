"""The chain that is reconciled: PostgreSQL with fsync, a platform, two gateways, and an engine and clients as processes of their own.

Replicas are planted, since no agent runs here; all else is made through the platform's API, as its operator would.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from keisan.domain.ids import ModelId
from keisan.domain.replica import Endpoint
from keisan.domain.snapshot import SnapshotTable
from keisan.kit.clock import SystemClock
from keisan.storage.postgresql import open_postgresql
from tests.deadline import wait_until, wait_until_async
from tests.e2e.ledger import list_items
from tests.e2e.platform_process import Platform
from tests.e2e.reconciliation.load import MODEL
from tests.e2e.reconciliation.tally import Progress
from tests.e2e.relay.gateway import GatewayFolder, GatewayProcess, start_gateway
from tests.e2e.relay.wall_clock import WallClock
from tests.e2e.stack import Program
from tests.factories import create_deployment, create_model, create_node, create_provider, create_replica, create_site
from tests.postgresql import PostgresqlServer

SLOTS = 256
CALLERS = 48
DAY_S = 86_400
# More than any run spends.
TOP_UP_NANO = 10**18
TAX_PPM, MARGIN_PPM = 130_000, 77_777
API_S_MAX = 60.0
UPLOAD_S_MAX = 1_800.0
ARCHIVE_S_MAX = 600.0


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """A version of the price, and from when it holds (ns of the system's wall clock)."""

    id: str
    number: int
    currency: str
    input: int
    cached: int
    output: int
    effective_ns: int


# Nano-units per 1,000,000 tokens: of the first and the last, many amounts end on half a nano-unit.
PRICES = (
    ("CNY", 500_500_000, 50_250_000, 1_502_500_000),
    ("CNY", 623_456_789, 61_234_567, 1_987_654_321),
    ("JPY", 11_004_500_000, 1_000_500_000, 33_012_500_000),
)


@dataclass(frozen=True, slots=True)
class Killing:
    """When a gateway was killed: from just before the signal until it was gone (monotonic ns)."""

    gateway: int
    from_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Offset:
    """By how many seconds a gateway's wall clock is off, from some moment on between these two (monotonic ns)."""

    gateway: int
    from_ns: int
    until_ns: int
    offset_s: int


@dataclass(slots=True)
class Ledger:
    """What the operator made, and what happened: all that the reader may know beside the two logs."""

    organizations: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)
    prices: list[PriceVersion] = field(default_factory=list)
    deductions_from_ns: int = 0
    killings: list[Killing] = field(default_factory=list)
    offsets: list[Offset] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """All processes, and the operator's hands."""

    root: Path
    socket_folder: Path
    server: PostgresqlServer
    platform: Platform
    platform_clock: WallClock
    gateway_clocks: Sequence[WallClock]
    folders: list[GatewayFolder] = field(default_factory=list)
    gateways: list[GatewayProcess] = field(default_factory=list)
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    model_id: str = ""
    snapshot_version: int = 0
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def engine_log(self) -> Path:
        """Return the engine's own log."""
        return self.root / "engine.log"

    @property
    def tally(self) -> Path:
        """Return the clients' own tally."""
        return self.root / "tally"

    @property
    def sockets(self) -> list[Path]:
        """Return where the engine listens, a socket for each replica."""
        return [self.socket_folder / f"{place}.sock" for place in range(2)]

    def open_api(self) -> httpx.Client:
        """Return a client of the platform's API with its operator's key."""
        key = json.loads((self.root / "operator.json").read_text())["api_key"]
        headers = {"authorization": f"Bearer {key}"}
        return httpx.Client(base_url=f"{self.platform.url}/api/v1", headers=headers, timeout=API_S_MAX, trust_env=False)

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Make something; raises AssertionError if the platform refuses."""
        with self.open_api() as api:
            answer = api.post(path, json=body)
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def list_all(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield all items of a list."""
        with self.open_api() as api:
            yield from list_items(api, path, **query)

    async def plant_replicas(self, url: str) -> None:
        """Plant two providers with a site, a node and a replica each, and the model that they serve."""
        storage = open_postgresql(url, SystemClock())
        model = create_model(MODEL)
        self.model_id = str(model.id)
        try:
            async with storage.write() as transaction:
                await transaction.models.insert(model)
                planted = []
                for path in self.sockets:
                    provider = create_provider()
                    site, deployment = create_site(provider), create_deployment(model)
                    node = create_node(site)
                    replica = replace(
                        create_replica(deployment, site, node), slots=SLOTS, endpoint=Endpoint("unix", str(path))
                    )
                    await transaction.providers.insert(provider)
                    await transaction.sites.insert(site)
                    await transaction.nodes.insert(node)
                    await transaction.deployments.insert(deployment)
                    await transaction.replicas.insert(replica)
                    self.ledger.providers.append(str(provider.id))
                    planted.append(replica.id)
                await transaction.snapshot.touch(SnapshotTable.MODELS, [ModelId(model.id)])
                await transaction.snapshot.touch(SnapshotTable.REPLICAS, planted)
        finally:
            await storage.close()

    def make_customers(self) -> None:
        """Make who pays before and who pays after, with a key each, tax for both, and the platform's margin."""
        for billing in ("prepaid", "postpaid"):
            organization = self.post("/organizations", {"name": billing, "billing": billing})
            project = self.post("/projects", {"name": billing, "organization_id": organization["id"]})
            key = self.post("/keys", {"name": billing, "project_id": project["id"]})
            self.ledger.organizations.append(organization["id"])
            self.keys.append(key["secret"])
        for currency in sorted({price[0] for price in PRICES}):
            path = f"/organizations/{self.ledger.organizations[0]}/top-ups"
            self.post(path, {"currency": currency, "amount_nano": str(TOP_UP_NANO)})
        made = [
            self.post("/deductions", {"kind": kind, "rate_ppm": ppm})
            for kind, ppm in (("tax", TAX_PPM), ("margin", MARGIN_PPM))
        ]
        self.ledger.deductions_from_ns = max(read_instant_ns(each["effective_from"]) for each in made)

    def make_price(self, ahead_s: float = 0.0) -> None:
        """Make the next version of the price, in force so many seconds from now."""
        number = len(self.ledger.prices)
        currency, computed, cached, output = PRICES[number]
        body: dict[str, object] = {
            "model_id": self.model_id,
            "currency": currency,
            "nano_per_million": {"input": str(computed), "input_cached": str(cached), "output": str(output)},
        }
        with self.open_api() as api:
            self.snapshot_version = api.get("/gateways").json()["snapshot_version"]
        if ahead_s:
            body["effective_from"] = format_instant(time.time() + ahead_s)
        made = self.post("/prices", body)
        self.ledger.prices.append(
            PriceVersion(
                made["id"], number + 1, currency, computed, cached, output, read_instant_ns(made["effective_from"])
            )
        )

    async def wait_for_price(self) -> None:
        """Wait until the last price is in force, and every gateway has the snapshot that came of it."""
        price = self.ledger.prices[-1]

        def is_known() -> bool:
            with self.open_api() as api:
                listed = api.get("/gateways").json()
            return all(each["acknowledged_version"] > self.snapshot_version for each in listed["items"])

        await wait_until_async(is_known, f"price {price.number} is with all gateways", API_S_MAX)

    def start_engine(self) -> None:
        """Start the engine, and wait until it listens."""
        self._start("tests.e2e.reconciliation.engine", [self.engine_log, *self.sockets])
        wait_until(lambda: all(path.exists() for path in self.sockets), "the engine listens")

    async def start_gateways(self, ports: Sequence[int]) -> None:
        """Let gateways join, each with a wall clock of its own."""
        for place, (port, clock) in enumerate(zip(ports, self.gateway_clocks, strict=True)):
            data = self.root / f"gateway-{place}"
            data.mkdir()
            token = data / "token"
            token.write_text(self.post("/machines/tokens", {"kind": "gateway"})["token"])
            more = {"join_token_path": str(token), "name": f"gateway-{place}"}
            folder = GatewayFolder(
                data, self.platform.url, f"127.0.0.1:{port}", more=more, environment=clock.environment
            )
            self.folders.append(folder)
            self.gateways.append(await start_gateway(folder))
            self.step_clock(place, 0)

    def start_load(self, seed: int, rate_per_s: int) -> Progress:
        """Let clients call, and return how far they are."""
        ports = [str(gateway.address[1]) for gateway in self.gateways]
        words = [str(seed), str(rate_per_s), str(CALLERS), ",".join(self.keys), *ports]
        self._start("tests.e2e.reconciliation.load", [self.tally, *words])
        return Progress(self.tally)

    def _start(self, module: str, words: Iterable[object]) -> None:
        log = self.root / f"{module.rpartition('.')[2]}.err"
        with log.open("wb") as output:
            command = [sys.executable, "-m", module, *map(str, words)]
            environment = Program().build_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self.others.append(
                subprocess.Popen(command, stdout=output, stderr=output, env=environment, start_new_session=True)
            )

    def check_processes(self) -> None:
        """Raise AssertionError if platform, engine or clients have ended by themselves."""
        self.platform.check()
        ended = [" ".join(map(str, each.args[2:4])) for each in self.others if each.poll() is not None]  # type: ignore[index]  # a list
        faults = [path.read_text()[-2000:] for path in self.root.glob("*.err")]
        assert not ended, f"{ended} ended: {faults}"

    def stop_last(self) -> None:
        """Let the process that was started last end its work."""
        process = self.others.pop()
        process.send_signal(signal.SIGTERM)
        assert process.wait(UPLOAD_S_MAX) == 0, [path.read_text()[-2000:] for path in self.root.glob("*.err")]

    def step_clock(self, gateway: int, offset_s: int) -> None:
        """Let a gateway's wall clock be off by so much from now on."""
        from_ns = time.monotonic_ns()
        self.gateway_clocks[gateway].step(offset_s)
        self.ledger.offsets.append(Offset(gateway, from_ns, time.monotonic_ns(), offset_s))

    async def kill(self, victims: Sequence[str], gateway: int) -> None:
        """End processes as `kill -9` does, all of them before the first is started again."""
        for victim in victims:
            self.ledger.kills[victim] = self.ledger.kills.get(victim, 0) + 1
            if victim == "postgresql":
                self.server.kill()
            elif victim == "platform":
                self.platform.kill()
            else:
                from_ns = time.monotonic_ns()
                self.gateways[gateway].kill()
                self.ledger.killings.append(Killing(gateway, from_ns, time.monotonic_ns()))
                assert "panicked" not in self.gateways[gateway].read_log()
        if "gateway" in victims:
            self.gateways[gateway] = await start_gateway(self.folders[gateway])
        if "postgresql" in victims:
            self.server.start()
        if "platform" in victims:
            self.platform.start()

    async def wait_for_upload(self) -> None:
        """Wait until no call is open at any gateway, and every record is with the platform."""
        async with asyncio.timeout(UPLOAD_S_MAX):
            for gateway in self.gateways:
                health = await gateway.read_health()
                while health["open_calls"] or health["spool"]["backlog_records"]:
                    health = await gateway.read_health()

    def analyse_archive(self, since: str, until: str) -> list[dict[str, Any]]:
        """Return the archive's sums by day and organization, once all that was posted is in it.

        The platform archives once a minute, so its clock goes ahead by one.
        """
        self.platform_clock.step(61)
        found: dict[str, Any] = {}

        def is_current() -> bool:
            with self.open_api() as api:
                query = {"by": "day,organization,provider", "since": since, "until": until}
                answer = api.get("/usage/analysis", params=query)
            assert answer.is_success, answer.text
            found.update(answer.json())
            return bool(found["reach"]["is_current"])

        wait_until(is_current, "the archive has everything", ARCHIVE_S_MAX)
        lines: list[dict[str, Any]] = found["lines"]
        return lines

    def read_balances(self) -> dict[tuple[str, str, str], int]:
        """Return all balances by kind, owner and currency."""
        return {
            (each["kind"], each["organization_id"] or each["provider_id"] or "", each["currency"]): int(
                each["balance_nano"]
            )
            for each in self.list_all("/accounts")
        }

    def end(self) -> None:
        """End everything that runs."""
        for process in (*self.others, *(gateway.process for gateway in self.gateways)):
            if process.poll() is None:
                process.kill()
            process.wait()
        if self.platform.process.poll() is None:
            self.platform.kill()


def read_instant_ns(text: str) -> int:
    """Return an instant of the API in ns since 1970."""
    instant = datetime.fromisoformat(text)
    return int(instant.timestamp()) * 1_000_000_000 + instant.microsecond * 1_000


def format_instant(instant_s: float) -> str:
    """Return an instant as the API takes it."""
    return datetime.fromtimestamp(instant_s).astimezone().isoformat()


def read_id_ms(record_id: str) -> int:
    """Return the moment that a record's id begins with (UUIDv7), in ms since 1970."""
    return UUID(record_id).int >> 80
