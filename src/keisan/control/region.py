"""The regions of a tree of platforms: each second what platforms below told is read, and what this one has to tell is told.

Sites and devices that several report are counted once; who was first is kept on disk. Belongs to the event loop's thread.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from keisan.control.capacity import CapacityReading, CapacitySource
from keisan.control.region_heard import HeardPlatform, RegionHearing, is_verified
from keisan.control.region_told import RegionTelling
from keisan.control.telemetry import FleetWatch
from keisan.domain.access import PlatformScope
from keisan.domain.capacity import CapacityKind, CapacityRow, forget_figures
from keisan.domain.errors import KeisanError
from keisan.domain.exchange import Exchange, ExchangeFacts, ExchangeMark, judge_exchanges
from keisan.domain.ids import PlatformId, SiteId
from keisan.domain.site_report import SiteReport
from keisan.kit.clock import wait_unless_stopped
from keisan.kit.observe import write_warning
from keisan.telemetry.region_count import CountedOnce, Digests, ReportedSite, SiteKey, count_once

EVERYTHING = PlatformScope()
REGION_STEP_S = 1.0


@dataclass(slots=True)
class RegionWatch:
    """Built once per process by daemon. `sources` know of this platform's own capacity, of all five kinds."""

    watch: FleetWatch
    sources: tuple[CapacitySource, ...]
    are_names_told: bool = False
    hearing: RegionHearing = field(init=False)
    telling: RegionTelling = field(init=False)
    counted: CountedOnce = field(default_factory=CountedOnce)
    marks: dict[tuple[PlatformId, Exchange], ExchangeMark] = field(default_factory=dict)
    _reports: dict[SiteKey, SiteReport] | None = None

    def __post_init__(self) -> None:
        self.hearing = RegionHearing(self.watch.control)
        self.telling = RegionTelling(self.watch, self.sources, self.are_names_told)

    async def run(self, stop: asyncio.Event) -> None:
        """Step each second until `stop` is set. A database that does not answer costs this second, and nothing else."""
        clock = self.watch.control.clock
        while not stop.is_set():
            started_s = clock.monotonic_s()
            try:
                await self.step()
            except KeisanError as fault:
                write_warning("regions.not_told", code=fault.code, outside=fault.outside)
            await wait_unless_stopped(clock, max(0.0, REGION_STEP_S - (clock.monotonic_s() - started_s)), stop)

    async def step(self) -> None:
        """Read what came, count it once, tell the parent. Raises StorageUnavailable."""
        is_parent_there = await self.hearing.hear(self.watch.read_moment())
        self.watch.fleet.regions.replace(self.hearing.list_regions())
        if is_parent_there or self.hearing.platforms:
            await self.telling.tell(is_parent_there=is_parent_there)
        if self.hearing.platforms or self.marks:
            await self._remember()
            self._count()

    def merge_capacity(self, kind: CapacityKind, own: CapacityReading | None) -> CapacityReading | None:
        """Return what is known of a kind in all of the tree below: own rows and what others told, each site and device once.

        What nobody who is heard tells of what is free now is not known: its rows stay, without figures.
        """
        own_id = self.watch.control.platform_id
        rows = [] if own is None else list(self._count_rows(own_id, own.rows))
        read_at = [] if own is None else [own.read_at]
        surveyors = {row.region: own_id for row in rows}
        for platform in self._list_by_right():
            told = list(platform.list_rows(kind))
            if kind is CapacityKind.SURVEYED:
                # A region is surveyed once: by this platform, else by the one whose region it is, else by another.
                for row in told:
                    surveyors.setdefault(row.region, platform.id)
                told = [row for row in told if surveyors[row.region] == platform.id]
            if told and platform.hearing.heard_at is not None:
                read_at.append(platform.hearing.heard_at)
            rows += self._count_told(platform, kind, told)
        return CapacityReading(rows, min(read_at)) if rows else own

    def count_platform(self, platform: HeardPlatform, kind: CapacityKind) -> list[CapacityRow]:
        """Return the rows of a kind that are counted as one platform's own."""
        return self._count_told(platform, kind, platform.list_rows(kind))

    def _count_told(
        self, platform: HeardPlatform, kind: CapacityKind, told: Iterable[CapacityRow]
    ) -> list[CapacityRow]:
        is_lost = kind is CapacityKind.SCHEDULABLE and not self.is_heard(platform)
        return [forget_figures(row) if is_lost else row for row in self._count_rows(platform.id, told)]

    def is_heard(self, platform: HeardPlatform) -> bool:
        """Tell whether a platform is heard now."""
        return platform.hearing.is_heard(self.watch.read_moment())

    def _list_by_right(self) -> list[HeardPlatform]:
        """Return platforms, those first whose word on their region goes before that of others."""
        return sorted(self.hearing.list_platforms(), key=lambda platform: (not platform.region, platform.id))

    def _count_rows(self, reporter_id: PlatformId, rows: Iterable[CapacityRow]) -> Iterator[CapacityRow]:
        counted = (self.counted.count_row(reporter_id, row) for row in rows)
        return (row for row in counted if row is not None)

    async def _remember(self) -> None:
        """Keep who reports which site, and how far exchanges are, as of when this platform noticed it first."""
        control = self.watch.control
        if self._reports is None:
            async with control.storage.read() as view:
                reports = await view.site_reports.list_all(EVERYTHING)
                marks = await view.exchanges.list_all(EVERYTHING)
            self._reports = {(each.reporter_id, each.site_id): each for each in reports}
            self.marks = {(each.platform_id, each.exchange): each for each in marks}
        now = control.clock.now()
        new_reports = list(self._find_reports(self._reports, now))
        new_marks = list(self._find_marks(now))
        if not new_reports and not new_marks:
            return
        async with control.storage.write() as transaction:
            for report in new_reports:
                await transaction.site_reports.put(report)
            for mark in new_marks:
                await transaction.exchanges.put(mark)
        self._reports |= {(each.reporter_id, each.site_id): each for each in new_reports}
        self.marks |= {(each.platform_id, each.exchange): each for each in new_marks}
        self.hearing.is_counted_anew |= bool(new_reports)

    def _find_reports(self, known: dict[SiteKey, SiteReport], now: datetime) -> Iterator[SiteReport]:
        """Yield what is new: a site that is reported, or proved, for the first time."""
        for (reporter_id, site_id), proved in self._list_reported():
            report = known.get((reporter_id, site_id))
            if report is None:
                yield SiteReport(site_id, reporter_id, now, now if proved else None)
            elif proved and report.verified_at is None:
                yield replace(report, verified_at=now)

    def _list_reported(self) -> Iterator[tuple[SiteKey, bool]]:
        own_id = self.watch.control.platform_id
        for site_id in self.telling.digests:
            yield (own_id, site_id), site_id in self.telling.verified
        for platform in self.hearing.list_platforms():
            for site_id in platform.list_sites():
                yield (platform.id, site_id), is_verified(platform.sites[site_id])

    def _find_marks(self, now: datetime) -> Iterator[ExchangeMark]:
        for platform in self.hearing.list_platforms():
            for finding in judge_exchanges(self.collect_facts(platform)):
                mark = self.marks.get((platform.id, finding.exchange))
                if mark is None or mark.state is not finding.state:
                    yield ExchangeMark(platform.id, finding.exchange, finding.state, now)

    def collect_facts(self, platform: HeardPlatform) -> ExchangeFacts:
        """Return what is known of a platform, as its exchanges are judged by it."""
        summary, scenarios, sites = platform.summary, platform.scenarios, list(platform.list_sites())
        return ExchangeFacts(
            is_introduced=platform.is_introduced,
            is_heard=self.is_heard(platform),
            organization_count=0 if summary is None else summary.organization_count,
            provider_count=0 if summary is None else summary.provider_count,
            site_count=0 if summary is None else summary.site_count,
            sites_told=len(sites),
            sites_partly=sum(not platform.is_whole(site_id) for site_id in sites),
            regions_told=len(list(platform.list_regions())),
            regions_refused=platform.count_refused(),
            registers_unread=len(platform.faults),
            model_count=0 if summary is None else len(summary.models),
            engine_count=0 if summary is None else len(summary.engines),
            scenario_count=0 if scenarios is None else len(scenarios.scenarios),
        )

    def _count(self) -> None:
        if (self.hearing.is_counted_anew or self.telling.is_counted_anew) and self._reports is not None:
            self.counted = count_once(self._list_sites(self._reports))
            self.hearing.is_counted_anew = self.telling.is_counted_anew = False

    def _list_sites(self, reports: dict[SiteKey, SiteReport]) -> Iterator[ReportedSite]:
        own_id = self.watch.control.platform_id
        for site_id, own in self.telling.digests.items():
            yield ReportedSite(reports[own_id, site_id], own.digests)
        for platform in self.hearing.list_platforms():
            for site_id in platform.list_sites():
                yield ReportedSite(reports[platform.id, site_id], _join(platform, site_id))


def _join(platform: HeardPlatform, site_id: SiteId) -> dict[str, Digests]:
    return {chip: np.concatenate(parts) for chip, parts in platform.collect_digests(site_id).items()}
