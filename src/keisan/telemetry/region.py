"""Roll-ups that platforms below this one told of their regions: as they came last, and unknown once their teller is silent."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from keisan.domain.ids import PlatformId
from keisan.domain.limits import ROLL_UP_SILENCE_MS_MAX
from keisan.domain.roll_up import CountName, RollUp, RollUpSource, silence_rollup
from keisan.telemetry.live_site import Moment


@dataclass(frozen=True, slots=True)
class Hearing:
    """When a platform was heard last: `heard_ms` by this process's monotonic clock, None if it was before that began.

    `heard_at` is None for one that has told nothing yet.
    """

    heard_ms: int | None
    heard_at: datetime | None

    def is_heard(self, now: Moment) -> bool:
        """Tell whether that is short enough ago."""
        return self.heard_ms is not None and now.monotonic_ms - self.heard_ms <= ROLL_UP_SILENCE_MS_MAX


@dataclass(frozen=True, slots=True)
class ToldRegion:
    """One region as one platform told it."""

    platform_id: PlatformId
    platform_name: str
    rollup: RollUp
    hearing: Hearing

    def build_rollup(self, now: Moment) -> RollUp:
        """Return the roll-up as it counts now, with where it is from."""
        is_heard = self.hearing.is_heard(now)
        rollup = self.rollup if is_heard else silence_rollup(self.rollup)
        devices = rollup.counts[CountName.DEVICES]
        source = RollUpSource(
            self.platform_id, self.platform_name, rollup.verdict, devices, is_heard, self.hearing.heard_at
        )
        return replace(rollup, sources=(source,))


@dataclass(slots=True)
class RegionBook:
    """All regions that others told. Replaced whole by who reads their letters; belongs to one thread."""

    regions: tuple[ToldRegion, ...] = field(default=())

    def replace(self, regions: Iterable[ToldRegion]) -> None:
        """Know these regions, in order of their names and tellers, and no others."""
        self.regions = tuple(sorted(regions, key=lambda each: (each.rollup.name, each.platform_name, each.platform_id)))

    def list_rollups(self, now: Moment) -> tuple[RollUp, ...]:
        """Return all as they count now."""
        return tuple(region.build_rollup(now) for region in self.regions)
