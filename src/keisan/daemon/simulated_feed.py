"""Drives a simulated fleet against a running platform: sites join as any site does, and send their frames in time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TextIO
from uuid import UUID

from keisan.agent.frame_feed import FrameFeed
from keisan.agent.link import PlatformLink
from keisan.daemon.simulated_fleet import FleetPlan, SimulatedSite, SitePlan
from keisan.domain.access import MachineKind
from keisan.domain.key import MACHINE_PREFIX, create_secret, digest_secret
from keisan.domain.sample import FIELD_INDEX, SampleName
from keisan.kit.clock import Clock, to_milliseconds
from keisan.sdk import AsyncKeisan
from keisan.wire.inventory import encode_inventory
from keisan.wire.machine import JoinTokenCreate, MachineJoin
from keisan.wire.provider import ProviderCreate
from keisan.wire.site import SiteCreate

PROVIDER_NAME = "Simulated fleet"


@dataclass(frozen=True, slots=True)
class Cut:
    """From second to second of the run a region hears and says nothing."""

    region: str
    begin_s: float
    end_s: float

    def is_cut(self, region: str, elapsed_s: float) -> bool:
        """Tell whether a region is cut off then."""
        return region == self.region and self.begin_s <= elapsed_s < self.end_s


@dataclass(slots=True)
class FeedCounts:
    """What has been sent. `behind_s_most` is how late a frame was begun at the worst: beyond a second the host is too small."""

    frames: int = 0
    samples: int = 0
    held: int = 0
    behind_s_most: float = 0.0


@dataclass(slots=True)
class SimulatedFeed:
    """All sites' frames, each at its own place within the period. `truth` is told the sums of each frame as it is sent."""

    plan: FleetPlan
    clock: Clock
    cuts: tuple[Cut, ...] = ()
    truth: TextIO | None = None
    counts: FeedCounts = field(default_factory=FeedCounts)

    async def run(self, feeds: Mapping[SimulatedSite, tuple[str, FrameFeed]], duration_s: float | None) -> None:
        """Send until `duration_s` is over, for ever if it is None."""
        begun_s = self.clock.monotonic_s()
        async with asyncio.TaskGroup() as group:
            for position, (site, (site_id, feed)) in enumerate(feeds.items()):
                offset_s = self.plan.period_ms / 1000 * position / len(feeds)
                group.create_task(self._drive((site, site_id, feed), (begun_s, offset_s, duration_s)))

    async def _drive(
        self, driven: tuple[SimulatedSite, str, FrameFeed], when: tuple[float, float, float | None]
    ) -> None:
        site, site_id, feed = driven
        begun_s, offset_s, duration_s = when
        due_s = offset_s
        while duration_s is None or due_s < duration_s:
            elapsed_s = self.clock.monotonic_s() - begun_s
            await self.clock.sleep(max(0.0, due_s - elapsed_s))
            elapsed_s = self.clock.monotonic_s() - begun_s
            self.counts.behind_s_most = max(self.counts.behind_s_most, elapsed_s - due_s)
            await self._send(site, site_id, feed, elapsed_s)
            due_s += self.plan.period_ms / 1000

    async def _send(self, site: SimulatedSite, site_id: str, feed: FrameFeed, elapsed_s: float) -> None:
        sampled_at_ms = to_milliseconds(self.clock.now())
        numbers, values = site.read()
        frame = site.write_frame(numbers, values, sampled_at_ms)
        self._tell_truth(site_id, sampled_at_ms, len(numbers), int(values[FIELD_INDEX[SampleName.TOKENS_PER_S]].sum()))
        if any(cut.is_cut(site.site.region, elapsed_s) for cut in self.cuts):
            feed.hold(frame)
            self.counts.held += 1
            return
        if await feed.deliver(frame):
            self.counts.frames += 1
            self.counts.samples += len(numbers)

    def _tell_truth(self, site_id: str, sampled_at_ms: int, devices: int, tokens_per_s: int) -> None:
        if self.truth is not None:
            line = {
                "site_id": site_id,
                "sampled_at_ms": sampled_at_ms,
                "devices": devices,
                "tokens_per_s": tokens_per_s,
            }
            self.truth.write(json.dumps(line) + "\n")
            self.truth.flush()


@asynccontextmanager
async def open_feeds(
    keisan: AsyncKeisan, link_to: tuple[str, str | None], sites: tuple[SimulatedSite, ...], tell: Callable[[str], None]
) -> AsyncIterator[dict[SimulatedSite, tuple[str, FrameFeed]]]:
    """Make the sites that are not there yet, join each as a machine, and tell its inventory.

    `link_to` is the platform's URL and the file of certificates to trust.
    """
    site_ids = await _make_sites(keisan, tuple(site.site for site in sites))
    await _leave_sites(keisan, frozenset(site_ids.values()))
    feeds: dict[SimulatedSite, tuple[str, FrameFeed]] = {}
    async with AsyncExitStack() as stack:
        for count, site in enumerate(sites, start=1):
            tell(f"joining {len(sites)} sites: {count * 10 // len(sites) * 10} percent")
            site_id = site_ids[site.site.name]
            token = await keisan.machines.create_token(JoinTokenCreate(kind=MachineKind.SITE, site_id=site_id))
            secret = create_secret(MACHINE_PREFIX)
            link = await stack.enter_async_context(PlatformLink(link_to[0], secret, link_to[1]))
            await link.join(MachineJoin(token=token.token, name=site.site.name, secret_digest=digest_secret(secret)))
            await link.send_inventory(encode_inventory(site.inventory))
            feeds[site] = (str(site_id), FrameFeed(link, partial(encode_inventory, site.inventory)))
        yield feeds


async def _leave_sites(keisan: AsyncKeisan, site_ids: frozenset[UUID]) -> None:
    """Revoke the agents of an earlier run: a site has one, and their secrets ended with them."""
    earlier = [machine async for machine in keisan.machines.list() if machine.site_id in site_ids]
    for machine in earlier:
        if machine.revoked_at is None:
            await keisan.machines.revoke(machine.id)


async def _make_sites(keisan: AsyncKeisan, sites: tuple[SitePlan, ...]) -> dict[str, UUID]:
    providers = {provider.name: provider.id async for provider in keisan.providers.list()}
    if PROVIDER_NAME not in providers:
        providers[PROVIDER_NAME] = (await keisan.providers.create(ProviderCreate(name=PROVIDER_NAME))).id
    provider_id = providers[PROVIDER_NAME]
    known = {site.name: site.id async for site in keisan.sites.list() if site.provider_id == provider_id}
    for site in sites:
        if site.name not in known:
            body = SiteCreate(name=site.name, provider_id=provider_id, region=site.region)
            known[site.name] = (await keisan.sites.create(body)).id
    return known
