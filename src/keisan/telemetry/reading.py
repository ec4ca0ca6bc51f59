"""What is read of the live fleet: roll-ups of any level, of the sites that somebody may see."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from keisan.domain.errors import InvalidInput, NotFound
from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.roll_up import CountName, Level, RollUp, judge_group, merge_rollups
from keisan.domain.sample import HEALTH_CODES, MISSING, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import from_milliseconds
from keisan.telemetry.group import group_columns
from keisan.telemetry.live import LiveFleet, Picture
from keisan.telemetry.live_site import LiveSite, Moment, SitePlace
from keisan.telemetry.roll_up import Sums
from keisan.telemetry.site_columns import NEVER_MS
from keisan.wire.inventory import Places


@dataclass(frozen=True, slots=True)
class RollUpQuery:
    """By which level, and of which sites; `provider_id` is who asks, None for the platform's own people."""

    level: Level
    region: str | None = None
    site_id: SiteId | None = None
    provider_id: ProviderId | None = None

    def is_asked(self, place: SitePlace) -> bool:
        """Tell whether a site is asked for and may be seen."""
        return (
            (self.provider_id is None or place.provider_id == self.provider_id)
            and (self.region is None or place.region == self.region)
            and (self.site_id is None or place.site_id == self.site_id)
        )


# What tells the groups of sites apart, level by level.
_KEYS: dict[Level, Callable[[SitePlace], object]] = {
    Level.PLATFORM: lambda _: None,
    Level.REGION: lambda place: place.region,
    Level.PROVIDER: lambda place: place.provider_id,
    Level.SITE: lambda place: place.site_id,
}


def read_rollups(fleet: LiveFleet, query: RollUpQuery) -> Sequence[RollUp]:
    """Return the roll-ups of a level as of the last second, in order of their first site.

    By region, and of the whole, what platforms below this one told is added to its own sites', for the platform's own people.
    Raises InvalidInput for a level inside a site without the site, NotFound for a site that tells nothing, or may not be seen.
    """
    if query.level in _KEYS:
        own = list(_merge_sites(fleet.picture, query))
        is_of_tree = (
            query.level in (Level.PLATFORM, Level.REGION) and query.provider_id is None and query.site_id is None
        )
        return _add_regions(own, fleet.picture.regions, query) if is_of_tree else own
    if query.site_id is None:
        raise InvalidInput(f"expected a site to read by {query.level}", "site_id")
    site = get_site(fleet, query.site_id, query.provider_id)
    return list(_list_inside(site, query.level, fleet.picture.taken))


def read_own_regions(fleet: LiveFleet) -> Sequence[RollUp]:
    """Return the roll-ups of the platform's own regions: what it tells its parent, to which nobody else's is added."""
    return list(_merge_sites(fleet.picture, RollUpQuery(Level.REGION)))


def _add_regions(own: Sequence[RollUp], told: Sequence[RollUp], query: RollUpQuery) -> Sequence[RollUp]:
    groups: dict[str, list[RollUp]] = {rollup.name: [rollup] for rollup in own}
    for rollup in told:
        if query.region in (None, rollup.name):
            groups.setdefault(rollup.name if query.level is Level.REGION else "", []).append(rollup)
    return [
        parts[0] if len(parts) == 1 and parts[0].level is query.level else merge_rollups(parts, query.level, name)
        for name, parts in groups.items()
    ]


def get_site(fleet: LiveFleet, site_id: SiteId, provider_id: ProviderId | None) -> LiveSite:
    """Return a site; raises NotFound for one that has told no inventory, or that may not be seen."""
    site = fleet.sites.get(site_id)
    if site is None or provider_id not in (None, site.place.provider_id):
        raise NotFound(f"there is no telemetry of site {site_id}")
    return site


def _merge_sites(picture: Picture, query: RollUpQuery) -> Iterator[RollUp]:
    chosen = [position for position, place in enumerate(picture.places) if query.is_asked(place)]
    find_key = _KEYS[query.level]
    keys = [find_key(picture.places[position]) for position in chosen]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    group_of = np.array([numbers[key] for key in keys], np.int32)
    places = np.array(chosen, np.intp)
    sums = Sums(picture.sites.added[:, places], picture.sites.most[:, places])
    sums = sums.merge(group_columns(group_of, len(numbers)))
    firsts = {number: picture.places[chosen[at]] for at, number in reversed(list(enumerate(group_of.tolist())))}
    newest = dict.fromkeys(range(len(numbers)), NEVER_MS)
    for at, number in enumerate(group_of.tolist()):
        newest[number] = max(newest[number], picture.sampled_at_ms[chosen[at]])
    for group, place in sorted(firsts.items()):
        yield _build_rollup(sums, group, _Named(query.level, place, newest[group]), picture.taken)


def _list_inside(site: LiveSite, level: Level, taken: Moment) -> Iterator[RollUp]:
    head = site.columns.inventory.head
    is_node = level is Level.NODE
    names = head.nodes if is_node else tuple(entry.name for entry in head.supernodes)
    sums = site.nodes if is_node else site.supernodes
    # Before the first roll-up after another inventory there are no sums of its groups yet.
    for group, name in enumerate(names[: sums.group_count]):
        yield _build_rollup(sums, group, _Named(level, site.place, site.sampled_at_ms, name), taken)


@dataclass(frozen=True, slots=True)
class _Named:
    """A group's level, the first of its sites, the newest stamp in it, and its name inside a site."""

    level: Level
    place: SitePlace
    sampled_at_ms: int
    inner_name: str = ""


def _build_rollup(sums: Sums, group: int, named: _Named, taken: Moment) -> RollUp:
    counts = sums.get_counts(group)
    is_inside = named.level in (Level.SITE, Level.SUPERNODE, Level.NODE)
    place, level = named.place, named.level
    names = {Level.PLATFORM: "", Level.REGION: place.region, Level.PROVIDER: str(place.provider_id)}
    return RollUp(
        level=level,
        name=names.get(level, named.inner_name or place.name),
        region=place.region if is_inside or level is Level.REGION else "",
        provider_id=place.provider_id if is_inside or level is Level.PROVIDER else None,
        site_id=place.site_id if is_inside else None,
        verdict=judge_group(counts[CountName.OK], counts[CountName.FAILED], counts[CountName.REPORTING]),
        counts=counts,
        sums=sums.get_sums(group),
        temperature_most_millicelsius=sums.get_hottest(group),
        proven_at=to_instant(sums.get_proven_ms(group), taken),
        sampled_at=None if named.sampled_at_ms == NEVER_MS else from_milliseconds(named.sampled_at_ms),
    )


def to_instant(proven_ms: int, taken: Moment) -> datetime | None:
    """Return when a monotonic moment was by the wall clock, None for never."""
    return None if proven_ms == NEVER_MS else from_milliseconds(taken.wall_ms - taken.monotonic_ms + proven_ms)


@dataclass(frozen=True, slots=True)
class LiveDevice:
    """One device: its verdict as of the last roll-up, its values as they came last, without those that are not known.

    `supernode` is empty and memory 0 where there is none known.
    """

    number: int
    hardware_id: str
    node: str
    supernode: str
    chip: str
    name: str
    memory_mib: int
    verdict: Verdict
    is_cordoned: bool
    proven_at: datetime | None
    values: Mapping[SampleName, int]


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """Which devices of a site: of one node or verdict if it is named, from number `start` on, at most `limit`."""

    start: int
    limit: int
    node: str | None = None
    verdict: Verdict | None = None


def read_devices(site: LiveSite, chosen: DeviceFilter, taken: Moment) -> tuple[Sequence[LiveDevice], int | None]:
    """Return devices of a site that are not retired, in order of their numbers, and the number to go on from, None at the end."""
    inventory = site.columns.inventory
    wanted = ~site.columns.is_retired
    wanted[: chosen.start] = False
    if chosen.node is not None:
        nodes = inventory.head.nodes
        wanted &= inventory.node == (nodes.index(chosen.node) if chosen.node in nodes else -1)
    if chosen.verdict is not None:
        wanted &= site.verdicts == HEALTH_CODES[chosen.verdict]
    numbers = np.flatnonzero(wanted)[: chosen.limit + 1].tolist()
    kept = numbers[: chosen.limit]
    return [_build_device(site, number, taken) for number in kept], numbers[-1] if len(numbers) > len(kept) else None


def _build_device(site: LiveSite, number: int, taken: Moment) -> LiveDevice:
    columns, inventory = site.columns, site.columns.inventory
    head, supernode = inventory.head, int(inventory.supernode[number])
    found = dict(zip(SampleName, columns.values[:, number].tolist(), strict=True))
    return LiveDevice(
        number=number,
        hardware_id=inventory.hardware_ids[number].as_py(),
        node=head.nodes[inventory.node[number]],
        supernode=head.supernodes[supernode].name if supernode >= 0 else "",
        chip=head.chips[inventory.chip[number]],
        name=head.names[inventory.name[number]],
        memory_mib=int(inventory.memory_mib[number]),
        verdict=list(Verdict)[site.verdicts[number]],
        is_cordoned=bool(columns.is_cordoned[number]),
        proven_at=to_instant(int(columns.proven_ms[number]), taken),
        values={name: value for name, value in found.items() if value != MISSING},
    )


@dataclass(frozen=True, slots=True)
class ChipCount:
    """How many devices of a chip a site has, and how many could be given work; None of a site of which nothing is heard.

    Memory is None where a device of them does not tell it.
    """

    place: SitePlace
    chip: str
    devices: int
    schedulable: int | None
    memory_mib: int | None
    schedulable_memory_mib: int | None


def count_chips(fleet: LiveFleet, provider_id: ProviderId | None) -> Iterator[ChipCount]:
    """Yield the chips of each site that may be seen, as of the last roll-up."""
    for site in fleet.sites.values():
        if provider_id in (None, site.place.provider_id):
            yield from _count_site(site)


def _count_site(site: LiveSite) -> Iterator[ChipCount]:
    columns, inventory = site.columns, site.columns.inventory
    is_silent = not site.whole.group_count or site.whole.get_counts(0)[CountName.REPORTING] == 0
    is_active = ~columns.is_retired
    is_free = is_active & ~columns.is_cordoned & (site.verdicts == HEALTH_CODES[Verdict.OK])
    for chip, name in enumerate(inventory.head.chips):
        own = is_active & (inventory.chip == chip)
        free = is_free & own
        if own.any():
            yield ChipCount(
                place=site.place,
                chip=name,
                devices=int(np.count_nonzero(own)),
                schedulable=None if is_silent else int(np.count_nonzero(free)),
                memory_mib=_sum_memory(inventory.memory_mib[own]),
                schedulable_memory_mib=None if is_silent else _sum_memory(inventory.memory_mib[free]),
            )


def _sum_memory(memory_mib: Places) -> int | None:
    return None if (memory_mib == 0).any() else int(memory_mib.sum(dtype=np.int64))
