"""Development over a month: keeps a page of capacity each day, and draws what capacity, facilities, devices and calls came to."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from keisan.control.capacity import CapacitySource, draw_capacity
from keisan.control.context import Control
from keisan.control.history import History
from keisan.domain.access import PlatformScope, Principal, Right
from keisan.domain.archive import AnalysisKey, AnalysisLine
from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind
from keisan.domain.development import (
    PERMILLE,
    RECORD_LIFE,
    DevelopmentFigure,
    choose_records,
    describe_facilities,
    parse_month,
)
from keisan.domain.errors import KeisanError, LimitExceeded, PermissionDenied
from keisan.domain.facility import FacilityFilter
from keisan.domain.figure import Precision
from keisan.domain.history import DAY_MS
from keisan.domain.history_question import HistoryGroup, HistoryQuestion
from keisan.domain.sample import SampleName
from keisan.kit.clock import EPOCH, to_milliseconds, wait_unless_stopped
from keisan.kit.observe import write_failure
from keisan.storage.base_archive import ArchiveSelection
from keisan.wire.capacity import CapacitySumView, CapacityView, TotalView

EVERYTHING = PlatformScope()
KEEP_INTERVAL_S = 3600.0
LOOK_S = 1.0
FOLDER = "capacity"
UNITS = {
    CapacityFigure.DEVICE_COUNT: "{device}",
    CapacityFigure.STANDARD_RACKS: "{rack}",
    CapacityFigure.MEMORY_BYTES: "By",
    CapacityFigure.BANDWIDTH_BYTES_PER_S: "By/s",
}
assert set(UNITS) == set(CapacityFigure)


@dataclass(frozen=True, slots=True)
class Developed:
    """What was drawn: of which days, and when."""

    region: str | None
    since: date
    until: date
    taken_at: datetime
    figures: tuple[DevelopmentFigure, ...]


@dataclass(slots=True)
class Development:
    """Built once per process by daemon; `sources` know of kinds of capacity that commands do not keep."""

    control: Control
    history: History
    sources: Sequence[CapacitySource] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep each day's page until `stop` is set; what goes wrong is tried again with the next."""
        kept_at_s: float | None = None
        while not stop.is_set():
            now_s = self.control.clock.monotonic_s()
            if kept_at_s is None or now_s - kept_at_s >= KEEP_INTERVAL_S:
                kept_at_s = now_s
                try:
                    await self.keep_page()
                except (KeisanError, OSError) as fault:
                    write_failure("development.page_not_kept", fault)
            await wait_unless_stopped(self.control.clock, LOOK_S, stop)

    async def keep_page(self) -> None:
        """Keep today's capacity by region in place of what was kept of today before; raises OSError."""
        view = await draw_capacity(self.control, EVERYTHING, CapacityKey.REGION, self.sources)
        day = self.control.clock.now().date()
        content = view.model_dump_json().encode()
        await asyncio.to_thread(self.history.keeper.store.put_document, _name_page(day), content)

    async def draw(self, principal: Principal, region: str | None, month: str | None) -> Developed:
        """Return what a month came to.

        Raises PermissionDenied for anybody but the platform's own people, InvalidInput for a month that is none.
        """
        principal.require(Right.READ)
        if not isinstance(principal.scope, PlatformScope):
            raise PermissionDenied("development over time is for the platform's people")
        now = self.control.clock.now()
        since, until = parse_month(f"{now:%Y-%m}" if month is None else month)
        until = max(since, min(until, now.date()))
        figures = [
            *await self._draw_capacity(region, since, until),
            *await self._draw_facilities(region, since, until),
            *await self._draw_devices(region, since, until),
            *await self._draw_usage(region, since, until),
        ]
        return Developed(region, since, until, now, tuple(figures))

    async def _draw_capacity(self, region: str | None, since: date, until: date) -> list[DevelopmentFigure]:
        names = [_name_page(since + timedelta(days=each)) for each in range((until - since).days + 1)]
        found = await asyncio.to_thread(self.history.keeper.store.find_documents, names)
        pages = [CapacityView.model_validate_json(found[name]) for name in names if name in found]
        if not pages:
            return []
        first, last = (_choose_line(each, region) for each in (pages[0], pages[-1]))
        figures = []
        for kind in CapacityKind:
            before, after = first.get(kind), last.get(kind)
            for name, unit in _list_names(before, after):
                totals = [_find_total(each, name) for each in (before, after)]
                value = None if totals[1] is None else totals[1].value
                figures.append(
                    DevelopmentFigure(
                        f"{kind}_{name}",
                        unit,
                        None if totals[0] is None else totals[0].value,
                        value,
                        _find_coverage(after, totals[1]),
                        pages[-1].kinds[kind].read_at,
                    )
                )
        return figures

    async def _draw_facilities(self, region: str | None, since: date, until: date) -> Sequence[DevelopmentFigure]:
        wanted = FacilityFilter(region, since - RECORD_LIFE, until)
        async with self.control.storage.read() as view:
            records = await view.facilities.list_between(EVERYTHING, wanted)
            sites = await view.sites.list_all(EVERYTHING)
        count = sum(region in (None, each.region) for each in sites)
        return describe_facilities(*choose_records(records, since), count)

    async def _draw_devices(self, region: str | None, since: date, until: date) -> list[DevelopmentFigure]:
        """Return what devices did on the first and on the last day of which there are samples."""
        names = {
            SampleName.UTILIZATION_PERMILLE: "1e-3",
            SampleName.POWER_MILLIWATTS: "mW",
            SampleName.TOKENS_PER_S: "/s",
        }
        start_ms = (since - EPOCH.date()).days * DAY_MS
        end_ms = ((until - EPOCH.date()).days + 1) * DAY_MS
        regions = None if region is None else (region,)
        question = HistoryQuestion(tuple(names), HistoryGroup.PLATFORM, start_ms, end_ms, DAY_MS, regions)
        answer = await self.history.answerer.ask(question)
        rows = answer.rows.to_pylist()
        as_of = None if answer.reached_ms is None else EPOCH + timedelta(milliseconds=answer.reached_ms)
        return [
            DevelopmentFigure(
                f"device_mean_{name}",
                unit,
                _find_mean(rows[0], name) if rows else None,
                _find_mean(rows[-1], name) if rows else None,
                answer.coverage_permille,
                as_of,
            )
            for name, unit in names.items()
        ]

    async def _draw_usage(self, region: str | None, since: date, until: date) -> list[DevelopmentFigure]:
        before = (since - timedelta(days=1)).replace(day=1)
        async with self.control.storage.read() as view:
            cursor = await view.archive.get_cursor()
            has_newer = await view.archive.has_pending_records(cursor.last_sequence)
            sites = {str(each.id) for each in await view.sites.list_all(EVERYTHING) if region in (None, each.region)}
        first = await self._count_usage(region, sites, before, since - timedelta(days=1))
        last = await self._count_usage(region, sites, since, until)
        coverage = _find_reach(cursor.reached_at, since, self.control.clock.now()) if has_newer else PERMILLE
        return [
            DevelopmentFigure(name, unit, first[place], last[place], coverage, cursor.reached_at)
            for place, (name, unit) in enumerate((("calls", "{call}"), ("models_used", "{model}")))
        ]

    async def _count_usage(
        self, region: str | None, sites: set[str], since: date, until: date
    ) -> tuple[int | None, int | None]:
        """Return calls and models; models are not known where a region's sites use too many to be summed."""
        async with self.control.storage.read() as view:
            files = await view.archive.list_files(since, until)
        selection = ArchiveSelection(EVERYTHING, files, since, until)
        keys = [AnalysisKey.MODEL] if region is None else [AnalysisKey.MODEL, AnalysisKey.SITE]
        lines: Sequence[AnalysisLine]
        try:
            lines = await self.control.get_archive().sum(selection, keys)
        except LimitExceeded:
            lines = await self.control.get_archive().sum(selection, [AnalysisKey.SITE])
        own = [each for each in lines if region is None or each.group[AnalysisKey.SITE] in sites]
        models = {each.group[AnalysisKey.MODEL] for each in own if AnalysisKey.MODEL in each.group}
        is_known = not own or bool(models)
        return sum(each.call_count for each in own), len(models) if is_known else None


def _name_page(day: date) -> str:
    return f"{FOLDER}/{day.isoformat()}.json"


def _choose_line(page: CapacityView, region: str | None) -> Mapping[CapacityKind, CapacitySumView]:
    if region is None:
        return page.total.kinds
    return next((each.kinds for each in page.lines if each.value == region), {})


def _list_names(*sums: CapacitySumView | None) -> Iterator[tuple[str, str]]:
    """Yield the figures that somebody told at either end, with their units."""
    for name, unit in UNITS.items():
        if any(each is not None and name in each.figures and each.figures[name].value is not None for each in sums):
            yield name, unit
    for precision in Precision:
        if any(each is not None and precision in each.gflops for each in sums):
            yield precision, "GFLOPS"


def _find_total(found: CapacitySumView | None, name: str) -> TotalView | None:
    if found is None:
        return None
    told: dict[str, TotalView] = {
        str(key): total for each in (found.figures, found.gflops) for key, total in each.items()
    }
    return told.get(name)


def _find_coverage(found: CapacitySumView | None, total: TotalView | None) -> int | None:
    if found is None or total is None or not found.row_count:
        return None
    return (found.row_count - total.untold_rows) * PERMILLE // found.row_count


def _find_mean(row: Mapping[str, object], name: str) -> int | None:
    total, count = row[f"{name}_sum"], row[f"{name}_count"]
    return total // count if isinstance(total, int) and isinstance(count, int) and count else None


def _find_reach(reached_at: datetime | None, since: date, now: datetime) -> int:
    """Return how much of a month, until now, the archive has."""
    if reached_at is None:
        return 0
    start_ms = (since - EPOCH.date()).days * DAY_MS
    span_ms = max(1, to_milliseconds(now) - start_ms)
    return max(0, min(PERMILLE, (to_milliseconds(reached_at) - start_ms) * PERMILLE // span_ms))
