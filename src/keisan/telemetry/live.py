"""The fleet, live, in one process: takes inventories and frames, adds up each second, and tells what changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from keisan.domain.ids import SiteId
from keisan.domain.roll_up import RollUp
from keisan.telemetry.group import Table
from keisan.telemetry.live_site import LiveSite, Moment, SitePlace
from keisan.telemetry.region import RegionBook
from keisan.telemetry.roll_up import EMPTY, Sums, join_sums
from keisan.telemetry.site_columns import SiteColumns
from keisan.wire.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Picture:
    """The sums of one second: a group for each site, with its place and the stamp of its newest frame.

    `regions` are the roll-ups that platforms below this one told of theirs.
    """

    taken: Moment
    sites: Sums = EMPTY
    places: tuple[SitePlace, ...] = ()
    sampled_at_ms: tuple[int, ...] = ()
    regions: tuple[RollUp, ...] = ()


@dataclass(slots=True)
class LiveFleet:
    """All sites that have told an inventory. `nominal_gflops` is what each chip can do, of those of which it is known.

    Belongs to one thread. `picture` is replaced whole by each roll-up. `regions` is what platforms below this one told.
    """

    nominal_gflops: Mapping[str, int]
    sites: dict[SiteId, LiveSite] = field(default_factory=dict)
    picture: Picture = field(default_factory=lambda: Picture(Moment(0, 0)))
    regions: RegionBook = field(default_factory=RegionBook)

    def take_inventory(self, place: SitePlace, inventory: Inventory) -> None:
        """Know a site's devices, all of them unknown until a frame comes; what is known of the same ones stays."""
        columns = SiteColumns.begin(inventory, self._look_up_gflops(inventory))
        site = self.sites.get(place.site_id)
        if site is None:
            self.sites[place.site_id] = LiveSite.begin(place, columns)
        else:
            site.place = place
            site.grow(columns)

    def roll_up(self, now: Moment) -> tuple[LiveSite, ...]:
        """Replace the picture; return the sites whose sums were made anew."""
        sites = tuple(self.sites.values())
        renewed = tuple(site for site in sites if site.roll_up(now.monotonic_ms))
        self.picture = Picture(
            taken=now,
            sites=join_sums([site.whole for site in sites]),
            places=tuple(site.place for site in sites),
            sampled_at_ms=tuple(site.sampled_at_ms for site in sites),
            regions=self.regions.list_rollups(now),
        )
        return renewed

    def _look_up_gflops(self, inventory: Inventory) -> Table:
        of_chips = [self.nominal_gflops.get(chip, -1) for chip in inventory.head.chips]
        nominal = np.array(of_chips, np.int64)[inventory.chip]
        return np.stack([nominal, np.full(inventory.device_count, -1, np.int64)])
