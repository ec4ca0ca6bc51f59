"""The live fleet as series, for whoever reads them: roll-ups of what somebody may see, or all that is in one site."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from keisan.control.telemetry import FleetWatch
from keisan.domain.access import PlatformScope
from keisan.domain.chip import Chip
from keisan.domain.errors import NotFound
from keisan.domain.fact import FactName
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.roll_up import Level, RollUp
from keisan.telemetry.live_site import LiveSite, SitePlace
from keisan.telemetry.reading import RollUpQuery, get_site, read_rollups
from keisan.telemetry.series import Attributes, Column, SeriesTable
from keisan.telemetry.series_device import (
    LEFT_OUT,
    DeviceView,
    capture_devices,
    describe_devices,
    list_device_columns,
)
from keisan.telemetry.series_frame import ROLLED_UP, list_frame_columns
from keisan.telemetry.series_roll_up import describe_owner, list_rollup_columns

LEVELS = (Level.REGION, Level.PROVIDER, Level.SITE)


@dataclass(frozen=True, slots=True)
class SiteView:
    """What is in a site, as it was at one moment; another thread may read it."""

    place: SitePlace
    provider: str
    supernodes: tuple[RollUp, ...]
    nodes: tuple[RollUp, ...]
    # Of each node the id of what it is in.
    parents: tuple[str, ...]
    devices: DeviceView
    chips: Mapping[str, Chip]


async def look_up_providers(watch: FleetWatch) -> Mapping[ProviderId, str]:
    """Return the names of all providers that have devices. A provider keeps its name, so each is read once."""
    seen = {site.place.provider_id for site in watch.fleet.sites.values()}
    unknown = seen - watch.providers.keys()
    if unknown:
        async with watch.control.storage.read() as view:
            for provider_id in unknown:
                watch.providers[provider_id] = (await view.providers.get(PlatformScope(), provider_id)).name
    return watch.providers


def list_fleet_series(watch: FleetWatch, query: RollUpQuery, providers: Mapping[ProviderId, str]) -> SeriesTable:
    """Return the roll-ups of regions, providers and sites, and the counts of sites' frames, of the sites that `query` has."""
    fleet = watch.fleet
    rollups = [rollup for level in LEVELS for rollup in read_rollups(fleet, replace(query, level=level))]
    platform_id = str(watch.control.platform_id)
    owners = [
        describe_owner(rollup, rollup.region if rollup.level is Level.SITE else platform_id, providers)
        for rollup in rollups
    ]
    columns = list(list_rollup_columns(rollups))
    # Sites are told last, each with its roll-up's attributes.
    places = {rollup.site_id: place for place, rollup in enumerate(rollups) if rollup.level is Level.SITE}
    first = len(owners)
    counted = [fleet.sites[site_id] for site_id in places if site_id is not None]
    owners += [owners[places[site.place.site_id]] for site in counted]
    columns += list_frame_columns([site.counts for site in counted], first)
    columns.append(Column(ROLLED_UP, [len(owners)], [fleet.picture.taken.wall_ms / 1000], {}))
    return SeriesTable([*owners, {"hw.id": platform_id, "hw.type": "platform"}], columns)


def capture_site(watch: FleetWatch, query: RollUpQuery, site_id: SiteId, page: tuple[int, int]) -> SiteView:
    """Copy what is in a site: of its devices so many of `page` from a number on, (start, limit).

    Raises NotFound for a site that tells nothing, or that `query` does not have.
    """
    fleet = watch.fleet
    if query.site_id not in (None, site_id):
        raise NotFound(f"there is no telemetry of site {site_id}")
    site = get_site(fleet, site_id, query.provider_id)
    asked = RollUpQuery(Level.NODE, None, site_id, query.provider_id)
    return SiteView(
        place=site.place,
        provider=watch.providers.get(site.place.provider_id, str(site.place.provider_id)),
        supernodes=tuple(read_rollups(fleet, replace(asked, level=Level.SUPERNODE))),
        nodes=tuple(read_rollups(fleet, asked)),
        parents=find_parents(site),
        devices=capture_devices(site, fleet.picture.taken, *page),
        chips=watch.control.chips,
    )


def find_parents(site: LiveSite) -> tuple[str, ...]:
    """Return of each node of a site the supernode of its first device, else the site."""
    inventory, site_id = site.columns.inventory, str(site.place.site_id)
    nodes, firsts = np.unique(inventory.node, return_index=True)
    supernode_of = dict(zip(nodes.tolist(), inventory.supernode[firsts].tolist(), strict=True))
    names = [entry.name for entry in inventory.head.supernodes]
    # A node without devices is in no supernode, as -1 says of a device.
    return tuple(
        names[at] if (at := supernode_of.get(node, -1)) >= 0 else site_id for node in range(len(inventory.head.nodes))
    )


def list_site_series(view: SiteView) -> SeriesTable:
    """Return the roll-ups of supernodes and nodes, and the devices; not the site itself, which stands among the fleet's."""
    place = {"region": view.place.region, "provider": view.provider, "site": view.place.name}
    site_id = str(view.place.site_id)
    rollups = [*view.supernodes, *view.nodes]
    parents = [*(site_id for _ in view.supernodes), *view.parents[: len(view.nodes)]]
    owners: list[Attributes] = [
        {"hw.id": rollup.name, "hw.type": str(rollup.level), "hw.parent": parent, **place}
        for rollup, parent in zip(rollups, parents, strict=True)
    ]
    columns = list(list_rollup_columns(rollups))
    columns += list_device_columns(view.devices, len(owners))
    kinds = {chip.id: chip.kind for chip in view.chips.values()}
    owners += describe_devices(view.devices, place, kinds, _list_vendors(view.chips))
    columns.append(Column(LEFT_OUT, [len(owners)], [view.devices.left_out], {}))
    return SeriesTable([*owners, {"hw.id": site_id, "hw.type": "site", **place}], columns)


def _list_vendors(chips: Mapping[str, Chip]) -> dict[str, str]:
    return {
        chip.id: ", ".join(chip.facts[FactName.VENDOR].values)
        for chip in chips.values()
        if FactName.VENDOR in chip.facts
    }
