"""A simulated fleet played against a running platform, and what the platform's live API shows of it meanwhile."""

import asyncio
from dataclasses import asdict, dataclass, field

from keisan.agent.frame_feed import FrameFeed
from keisan.cli.session import Session
from keisan.daemon.duration import read_duration_s
from keisan.daemon.progress import Progress
from keisan.daemon.simulate_command import FleetOptions
from keisan.daemon.simulated_feed import Cut, FeedCounts, SimulatedFeed, open_feeds
from keisan.daemon.simulated_fleet import REGIONS, FleetPlan, Kind, SimulatedSite, plan_sites
from keisan.devices.simulated_sampler import FaultRates, SimulatedChip
from keisan.domain.errors import InvalidInput
from keisan.domain.roll_up import CountName, Level
from keisan.domain.verdict import Verdict
from keisan.kit.clock import Clock, SystemClock
from keisan.wire.telemetry import RollUpList

TELL_PERIOD_S = 5.0
LOOK_PERIOD_S = 0.25
NO_FAULTS = FaultRates(failure=0.0, loss=0.0, link=0.0, corrected=0.0)
KINDS = (
    Kind("nvidia-h20", "NVIDIA H20", SimulatedChip(98_304, 400_000, 18), 8, "node-8-switched"),
    Kind("huawei-ascend-910c", "Ascend 910C", SimulatedChip(131_072, 650_000, 7), 384, "cloudmatrix-384"),
    Kind("metax-c550", "MetaX C550", SimulatedChip(65_536, 350_000, 7), 128, "shanghai-cube-128"),
)


async def run_simulation(session: Session, options: FleetOptions) -> None:
    """Join all sites and send their frames until the time is over; raises InvalidInput naming the option that is wrong."""
    plan, cuts, duration_s = read_options(options)
    sites = tuple(SimulatedSite(plan, site) for site in plan_sites(plan, KINDS))
    target, clock = session.target, SystemClock()
    progress = Progress(session.output.aside)
    link_to = (target.platform_url, target.ca_path)
    async with open_feeds(session.keisan, link_to, sites, progress.tell) as feeds:
        progress.finish(
            f"{len(sites)} sites in {plan.regions} regions, {plan.devices:,} devices, every {options.period}"
        )
        truth = options.truth.open("w") if options.truth else None
        feed = SimulatedFeed(plan, clock, cuts, truth)
        try:
            await _drive(session, feed, feeds, duration_s)
        finally:
            if truth is not None:
                truth.close()


def read_options(options: FleetOptions) -> tuple[FleetPlan, tuple[Cut, ...], float | None]:
    """Return the plan, the cuts and the duration in seconds; raises InvalidInput naming the option that is wrong."""
    if not 1 <= options.regions <= len(REGIONS):
        raise InvalidInput(f"expected 1 to {len(REGIONS)} regions, got {options.regions}", "regions")
    if options.devices < options.regions or options.sites < 1:
        raise InvalidInput("expected at least one device and one site for each region", "devices")
    plan = FleetPlan(
        regions=options.regions,
        devices=options.devices,
        sites_per_region=options.sites,
        period_ms=round(read_duration_s(options.period, "rate") * 1000),
        seed=options.seed,
        faults=NO_FAULTS if options.no_faults else FaultRates(),
    )
    duration_s = None if options.duration is None else read_duration_s(options.duration, "duration")
    return plan, tuple(read_cut(text, options.regions) for text in options.cut or ()), duration_s


def read_cut(text: str, regions: int) -> Cut:
    """Return the cut of a text like CN-SX:30:90; raises InvalidInput."""
    region, _, span = text.partition(":")
    begin, _, end = span.partition(":")
    try:
        cut = Cut(region, float(begin), float(end))
    except ValueError:
        cut = Cut(region, 0.0, 0.0)
    if region not in REGIONS[:regions] or cut.end_s <= cut.begin_s:
        raise InvalidInput(f"expected REGION:FROM:TO with a simulated region and seconds, got {text!r}", "cut")
    return cut


async def _drive(
    session: Session, feed: SimulatedFeed, feeds: dict[SimulatedSite, tuple[str, FrameFeed]], duration_s: float | None
) -> None:
    if feed.truth is not None:
        # Somebody else counts, and what this one reads would be among what they measure.
        await feed.run(feeds, duration_s)
        return
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(Watch(session, feed.clock, feed.counts).run())
        await feed.run(feeds, duration_s)
        watching.cancel()


@dataclass(frozen=True, slots=True)
class Figures:
    """What the platform shows. A generator that is more than a second behind says that this host is too small for both."""

    regions: int
    devices: int
    ok: int
    unknown: int
    failed: int
    samples_per_s: int
    frames_held: int
    staleness_p50_s: float
    staleness_p99_s: float
    generator_behind_s: float
    unknown_regions: list[str]

    def describe(self) -> str:
        """Return one line for eyes."""
        cut = f"  unknown: {', '.join(self.unknown_regions)}" if self.unknown_regions else ""
        return (
            f"{self.regions} regions  {self.devices:,} devices: {self.ok:,} ok, {self.unknown:,} unknown, {self.failed:,} failed"
            f"  {self.samples_per_s:,} samples/s  stale {self.staleness_p50_s} s (p99 {self.staleness_p99_s} s){cut}"
        )


@dataclass(slots=True)
class Watch:
    """Reads the live API as anybody would, and tells what it shows."""

    session: Session
    clock: Clock
    counts: FeedCounts
    staleness_s: list[float] = field(default_factory=list)
    _seen_ms: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Look again and again, and tell every few seconds, until cancelled."""
        told_s, told_samples = self.clock.monotonic_s(), 0
        while True:
            self._note_staleness(await self.session.keisan.telemetry.list_rollups(Level.SITE))
            elapsed_s = self.clock.monotonic_s() - told_s
            if elapsed_s >= TELL_PERIOD_S:
                rate = (self.counts.samples - told_samples) / elapsed_s
                told_s, told_samples = self.clock.monotonic_s(), self.counts.samples
                await self._tell(rate)
            await self.clock.sleep(LOOK_PERIOD_S)

    def _note_staleness(self, sites: RollUpList) -> None:
        now_s = self.clock.now().timestamp()
        for site in sites.items:
            if site.sampled_at is None:
                continue
            stamp_s = site.sampled_at.timestamp()
            seen_s = self._seen_ms.get(str(site.site_id))
            self._seen_ms[str(site.site_id)] = stamp_s
            # What is there at the first look may have been there for long.
            if seen_s is not None and stamp_s != seen_s:
                self.staleness_s.append(now_s - stamp_s)

    async def _tell(self, samples_per_s: float) -> None:
        regions = (await self.session.keisan.telemetry.list_rollups(Level.REGION)).items
        totals = {name: sum(region.counts[name] for region in regions) for name in CountName}
        stale = sorted(self.staleness_s) or [0.0]
        figures = Figures(
            regions=len(regions),
            devices=totals[CountName.DEVICES],
            ok=totals[CountName.OK],
            unknown=totals[CountName.UNKNOWN],
            failed=totals[CountName.FAILED],
            samples_per_s=round(samples_per_s),
            frames_held=self.counts.held,
            staleness_p50_s=round(stale[len(stale) // 2], 3),
            staleness_p99_s=round(stale[min(len(stale) - 1, len(stale) * 99 // 100)], 3),
            generator_behind_s=round(self.counts.behind_s_most, 3),
            unknown_regions=[region.name for region in regions if region.verdict is Verdict.UNKNOWN],
        )
        self.staleness_s.clear()
        self.counts.behind_s_most = 0.0
        output = self.session.output
        if output.is_json:
            output.show_json(asdict(figures))
        else:
            output.show_text(figures.describe())
