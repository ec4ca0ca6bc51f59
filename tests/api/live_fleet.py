"""Two sites of two providers, live, behind the platform's real server: one has sent frames, of the other nothing is known."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import numpy as np

from keisan.control.pulse import Pulse
from keisan.control.telemetry import FleetWatch
from keisan.daemon.listener import bind_listener
from keisan.daemon.platform import FleetParts, build_server
from keisan.daemon.server import Server
from keisan.daemon.settings import PlatformSettings
from keisan.daemon.settings_address import Address
from keisan.domain.ids import ProviderId, SiteId
from keisan.kit.clock import SystemClock
from keisan.telemetry.live_site import SitePlace
from tests.api.stage import Stage
from tests.deadline import wait_until_async
from tests.telemetry.fleet import NOMINAL_GFLOPS, build_head, build_inventory, build_values

DEVICES = 4
LOAD = {
    "utilization_permille": [100, 200, 300, 400],
    "memory_used_mib": [100, 200, 300, 400],
    "power_milliwatts": [100_500, 200_000, 300_000, 400_000],
    "temperature_millicelsius": [40_000, 50_000, 60_000, 70_500],
    "tokens_per_s": [10, 20, 30, 40],
    "ecc_corrected_count": [0, 1, 2, 3],
    "throttle_flags": [0, 0, 0, 2],
}


@dataclass
class LiveStage:
    """`heard` is cellar, hikari's site in JP-13; `silent` is harbour, umi's site in JP-14, which has told its inventory only."""

    stage: Stage
    watch: FleetWatch
    server: Server
    url: str
    stop: asyncio.Event
    heard: SitePlace
    silent: SitePlace
    sequence: int = 0
    secrets: dict[str, str] = field(default_factory=dict)

    def feed(self, place: SitePlace | None = None, **columns: object) -> None:
        """Let a site send a frame of four devices; they are healthy unless told otherwise."""
        site = self.watch.fleet.sites[(place or self.heard).site_id]
        now = self.watch.read_moment()
        head = build_head(self.sequence, now.wall_ms)
        self.sequence += 1
        count = site.columns.inventory.device_count
        values = build_values(count, **(LOAD if not columns and count == DEVICES else columns))
        site.take(head, np.arange(count, dtype=np.uint32), values, now)

    def tick(self) -> None:
        """Renew the picture, as the platform does each second."""
        self.watch.fleet.roll_up(self.watch.read_moment())
        self.watch.renewed.set()
        self.watch.renewed = asyncio.Event()

    def headers(self, who: str) -> dict[str, str]:
        """Return what somebody shows at the door."""
        return {"authorization": f"Bearer {self.stage.secrets[who]}"}

    def open_client(self, who: str = "admin") -> httpx.AsyncClient:
        """Return a client of the real server; the caller closes it."""
        return httpx.AsyncClient(
            base_url=f"{self.url}/api/v1/telemetry",
            headers=self.headers(who),
            timeout=20,
            trust_env=False,
            limits=httpx.Limits(max_connections=None),
        )

    async def scrape(self, who: str = "admin", query: str = "", **headers: str) -> httpx.Response:
        """Read the series as Prometheus does."""
        async with self.open_client(who) as client:
            return await client.get(f"/metrics{query}", headers=headers)


@asynccontextmanager
async def open_live(stage: Stage, port: int = 0) -> AsyncIterator[LiveStage]:
    """Open the fleet on the stage's platform, with real time, until the block ends; `port` 0: any."""
    control = replace(stage.control, clock=SystemClock())
    watch = FleetWatch(control, NOMINAL_GFLOPS)
    heard = SitePlace(stage.site.id, stage.site.provider_id, stage.site.name, stage.site.region)
    silent = SitePlace(SiteId(stage.ids["harbour"]), ProviderId(stage.ids["umi"]), "harbour", "JP-14")
    for place in (heard, silent):
        watch.fleet.take_inventory(place, build_inventory([0, 0, 1, 1], [0, -1]))
    urls: list[str] = []
    parts = FleetParts(watch, stage.history, stage.development, Pulse(stage.control))
    server = build_server(PlatformSettings(listen=Address("127.0.0.1", 0)), parts, urls.append)
    listener = bind_listener(Address("127.0.0.1", port))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.answer(listener, stop))
        await wait_until_async(lambda: bool(urls), "the server listens")
        live = LiveStage(stage, watch, server, urls[0], stop, heard, silent)
        live.feed()
        live.tick()
        try:
            yield live
        finally:
            stop.set()
    listener.close()
