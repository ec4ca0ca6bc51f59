"""One kind of capacity of a whole tree: what this platform knows of its own, and what those below it told, each counted once."""

from collections.abc import Iterator
from dataclasses import dataclass

from keisan.control.capacity import CapacityReading, CapacitySource
from keisan.control.context import Control
from keisan.control.region import RegionWatch
from keisan.domain.access import PlatformScope, Scope
from keisan.domain.capacity import CapacityKind
from keisan.wire.capacity import CapacityPlatform


@dataclass(frozen=True, slots=True)
class TreeSource:
    """A source of this platform's own, and the same kind of all platforms below; of these only the platform's people know."""

    own: CapacitySource
    regions: RegionWatch

    @property
    def kind(self) -> CapacityKind:
        """Return which kind it knows of."""
        return self.own.kind

    async def read_capacity(self, control: Control, scope: Scope) -> CapacityReading | None:
        """Return all rows of the kind; None where nobody tells anything."""
        own = await self.own.read_capacity(control, scope)
        return self.regions.merge_capacity(self.kind, own) if isinstance(scope, PlatformScope) else own


def list_tellers(regions: RegionWatch) -> Iterator[CapacityPlatform]:
    """Yield the platforms below that told anything, with how old that is and what of it is counted as another's."""
    for platform in regions.hearing.list_platforms():
        shared = (each.device_count for each in regions.counted.shared if each.reporter_id == platform.id)
        yield CapacityPlatform(
            platform_id=platform.id,
            name=platform.title,
            region=platform.region,
            is_heard=regions.is_heard(platform),
            heard_at=platform.hearing.heard_at,
            site_count=len(list(platform.list_sites())),
            devices_elsewhere=sum(shared),
        )
