"""What a platform tells its parent: roll-ups of its regions as they change, its inventory, whom it serves, and what for.

Never more often than each second, never what was told already, and never a device's own word. Belongs to the event loop's thread.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import msgspec
import numpy as np

from keisan.control.capacity import CapacitySource
from keisan.control.letter import build_draft, put_register
from keisan.control.telemetry import FleetWatch
from keisan.domain.access import PlatformScope
from keisan.domain.capacity import CapacityKind, CapacityRow
from keisan.domain.ids import SiteId
from keisan.domain.inventory import InventoryMark
from keisan.domain.letter import LetterKind
from keisan.domain.limits import REGION_INVENTORY_S, REGION_PART_DEVICES, REGION_PARTS_MAX, ROLL_UP_PROOF_S
from keisan.domain.site import Site
from keisan.storage.base import Transaction
from keisan.telemetry.live_site import LiveSite
from keisan.telemetry.reading import read_own_regions
from keisan.telemetry.region_count import Digests, digest_device, read_digests
from keisan.wire.region import (
    SCENARIO_REGISTER,
    SUMMARY_REGISTER,
    PartBody,
    RollUpBody,
    ScenarioBody,
    ScenarioLine,
    SiteBody,
    SummaryBody,
    build_rollup_body,
    build_row_body,
    encode_region_body,
)

EVERYTHING = PlatformScope()


class RegisterName(NamedTuple):
    """One register of the platform's own."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Told:
    """What was told last under a name, and as which version."""

    body: bytes
    version: int


@dataclass(frozen=True, slots=True)
class SiteDigests:
    """The digests of a site's devices by chip, as of an inventory and of how many of it are retired."""

    mark: InventoryMark
    retired_count: int
    digests: Mapping[str, Digests]


@dataclass(slots=True)
class RegionTelling:
    """`sources` know of the five kinds of capacity. `are_names_told` lets names of organizations, providers and owners go up.

    `is_counted_anew` is set where the devices of a site here are others than before.
    """

    watch: FleetWatch
    sources: tuple[CapacitySource, ...]
    are_names_told: bool = False
    digests: dict[SiteId, SiteDigests] = field(default_factory=dict)
    verified: frozenset[SiteId] = frozenset()
    is_counted_anew: bool = False
    _rollups: dict[str, RollUpBody] = field(default_factory=dict)
    _told: dict[RegisterName, Told] = field(default_factory=dict)
    _looked_s: float | None = None

    async def tell(self, *, is_parent_there: bool) -> int:
        """Write what there is to tell, and return how many registers that were. Raises StorageUnavailable.

        Without a parent nothing is written; the digests are kept all the same, since others may report what is here.
        """
        bodies: dict[RegisterName, bytes] = {}
        now_s = self.watch.control.clock.monotonic_s()
        is_due = self._looked_s is None or now_s - self._looked_s >= REGION_INVENTORY_S
        wanted: dict[RegisterName, bytes] | None = None
        if is_due:
            wanted = await self._describe()
            bodies |= await self._find_changed(wanted)
        if not is_parent_there:
            self._looked_s = now_s if is_due else self._looked_s
            return 0
        rollups = self._list_rollups()
        bodies |= {RegisterName(LetterKind.ROLL_UP, name): encode_region_body(body) for name, body in rollups.items()}
        gone = set() if wanted is None else await self._find_gone(wanted)
        if bodies or gone:
            await self._write(bodies, gone)
        self._rollups |= rollups
        self._looked_s = now_s if is_due else self._looked_s
        return len(bodies) + len(gone)

    def _list_rollups(self) -> dict[str, RollUpBody]:
        """Return the roll-ups that are another than was told, or that were told too long ago to be a sign of life."""
        fleet = self.watch.fleet
        told_ms = fleet.picture.taken.wall_ms
        found: dict[str, RollUpBody] = {}
        for rollup in read_own_regions(fleet):
            body, before = build_rollup_body(rollup, told_ms), self._rollups.get(rollup.name)
            if before is None or is_to_be_told(before, body):
                found[rollup.name] = body
        return found

    async def _describe(self) -> dict[RegisterName, bytes]:
        """Return all that the inventory is now, by register."""
        rows = await self._read_rows()
        async with self.watch.control.storage.read() as view:
            sites = await view.sites.list_all(EVERYTHING)
            summary = await self._build_summary(view, sites, rows.get(CapacityKind.SURVEYED, ()))
            scenarios = await _build_scenarios(view)
        self.is_counted_anew |= self._renew_digests()
        self.verified = frozenset(
            row.site_id for row in rows.get(CapacityKind.VERIFIED, ()) if row.site_id is not None and row.device_count
        )
        bodies = {
            RegisterName(LetterKind.INVENTORY, SUMMARY_REGISTER): encode_region_body(summary),
            RegisterName(LetterKind.SCENARIO, SCENARIO_REGISTER): encode_region_body(scenarios),
        }
        for site in sites:
            bodies |= self._describe_site(site, rows)
        return bodies

    async def _read_rows(self) -> dict[CapacityKind, Sequence[CapacityRow]]:
        found: dict[CapacityKind, Sequence[CapacityRow]] = {}
        for source in self.sources:
            reading = await source.read_capacity(self.watch.control, EVERYTHING)
            if reading is not None:
                found[source.kind] = reading.rows
        return found

    def _describe_site(
        self, site: Site, rows: Mapping[CapacityKind, Sequence[CapacityRow]]
    ) -> Iterator[tuple[RegisterName, bytes]]:
        own = self.digests.get(site.id)
        parts = [] if own is None else split_digests(own.digests)
        body = SiteBody(
            region=site.region,
            kinds={
                str(kind): tuple(build_row_body(row, with_provider=self.are_names_told) for row in told)
                for kind, every in rows.items()
                if (told := [row for row in every if row.site_id == site.id])
            },
            part_count=len(parts),
        )
        yield RegisterName(LetterKind.INVENTORY, str(site.id)), encode_region_body(body)
        for number, part in enumerate(parts):
            yield RegisterName(LetterKind.INVENTORY, f"{site.id}/{number}"), encode_region_body(part)

    def _renew_digests(self) -> bool:
        """Know the devices that inventories tell now; return whether any are others than before."""
        is_renewed = False
        for site_id, site in self.watch.fleet.sites.items():
            retired_count = int(np.count_nonzero(site.columns.is_retired))
            kept = self.digests.get(site_id)
            if kept is None or (kept.mark, kept.retired_count) != (site.mark, retired_count):
                self.digests[site_id] = SiteDigests(site.mark, retired_count, _digest_site(site))
                is_renewed = True
        return is_renewed

    async def _build_summary(
        self, view: Transaction, sites: Sequence[Site], surveyed: Sequence[CapacityRow]
    ) -> SummaryBody:
        organizations = [
            each
            for each in await view.organizations.list_all(EVERYTHING)
            if each.platform_id == self.watch.control.platform_id
        ]
        provider_ids = sorted({site.provider_id for site in sites})
        providers = [await view.providers.get(EVERYTHING, each) for each in provider_ids]
        models = await view.models.list_by_ids(EVERYTHING, None)
        engines = {engine for model in models for engine in model.facts.engines}
        return SummaryBody(
            site_count=len(sites),
            organization_count=len(organizations),
            provider_count=len(providers),
            organizations=tuple(sorted(each.name for each in organizations)) if self.are_names_told else None,
            providers=tuple(sorted(each.name for each in providers)) if self.are_names_told else None,
            models=tuple(sorted(model.facts.name for model in models)),
            engines=tuple(sorted(engines)),
            surveyed=tuple(build_row_body(row, with_provider=self.are_names_told) for row in sum_surveyed(surveyed)),
        )

    async def _find_changed(self, wanted: Mapping[RegisterName, bytes]) -> dict[RegisterName, bytes]:
        """Return what is kept otherwise, or was taken back from a neighbour since: a disk may be older than what it told."""
        async with self.watch.control.storage.read() as view:
            lines = await view.registers.list_lines(EVERYTHING, None)
        versions = {RegisterName(line.key.kind, line.key.name): line.mark.version for line in lines}
        return {
            name: body
            for name, body in wanted.items()
            if (told := self._told.get(name)) is None or told != Told(body, versions.get(name, 0))
        }

    async def _find_gone(self, wanted: Mapping[RegisterName, bytes]) -> set[RegisterName]:
        """Return registers of what is no more: a site or a part of one, or a region that has no site any more."""
        kept = {RegisterName(LetterKind.ROLL_UP, rollup.name) for rollup in read_own_regions(self.watch.fleet)}
        own = self.watch.control.platform_id
        async with self.watch.control.storage.read() as view:
            lines = await view.registers.list_lines(EVERYTHING, None)
            told = [
                line.key
                for line in lines
                if line.key.kind in (LetterKind.ROLL_UP, LetterKind.INVENTORY)
                and RegisterName(line.key.kind, line.key.name) not in wanted.keys() | kept
            ]
            letters = await view.registers.list_letters(EVERYTHING, told)
        return {RegisterName(each.kind, each.name) for each in letters if not each.is_deleted and each.author == own}

    async def _write(self, bodies: Mapping[RegisterName, bytes], gone: Iterable[RegisterName]) -> None:
        control, told = self.watch.control, dict[RegisterName, Told]()
        async with control.storage.write() as transaction:
            for name, body in bodies.items():
                draft = replace(build_draft(control, name.kind, body), name=name.name)
                letter = await put_register(transaction, control, draft)
                told[name] = Told(body, letter.version)
            for name in gone:
                draft = replace(build_draft(control, name.kind, b""), name=name.name, is_deleted=True)
                await put_register(transaction, control, draft)
        for name, each in told.items():
            if name.kind != LetterKind.ROLL_UP:
                self._told[name] = each


def is_to_be_told(before: RollUpBody, body: RollUpBody) -> bool:
    """Tell whether a roll-up says something else than before, or was told so long ago that nobody knows that its teller lives.

    That the same was read once more is no news: it goes with the next sign of life.
    """
    is_stale = body.told_ms - before.told_ms >= ROLL_UP_PROOF_S * 1000 or body.told_ms < before.told_ms
    same = msgspec.structs.replace(
        body, told_ms=before.told_ms, proven_ms=before.proven_ms, sampled_ms=before.sampled_ms
    )
    return is_stale or same != before


def split_digests(digests: Mapping[str, Digests]) -> list[PartBody]:
    """Return digests in parts, by their first bits: another device changes one part, whatever else there is.

    More than REGION_PARTS_MAX parts are made of no site: its parts grow instead.
    """
    count = sum(map(len, digests.values()))
    bits = min(max(0, (count - 1) // REGION_PART_DEVICES).bit_length(), REGION_PARTS_MAX.bit_length() - 1)
    parts: list[dict[str, bytes]] = [{} for _ in range(1 << bits)]
    for chip, found in digests.items():
        part_of = (found >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(found), np.int64)
        for part in np.unique(part_of).tolist():
            parts[part][chip] = found[part_of == part].astype(">u8").tobytes()
    return [PartBody(part) for part in parts]


def sum_surveyed(rows: Iterable[CapacityRow]) -> list[CapacityRow]:
    """Return surveyed rows summed where the same is known of the same things: fewer rows, and no unknown becomes nought."""
    groups: dict[tuple[object, ...], CapacityRow] = {}
    for row in rows:
        figures = (row.device_count, row.standard_racks, row.memory_bytes, row.bandwidth_bytes_per_s)
        known = tuple(found is None for found in figures)
        key = (row.region, row.vendor, row.chip, row.origin, row.provider, known, tuple(sorted(row.gflops)))
        groups[key] = row if key not in groups else _add_rows(groups[key], row)
    return list(groups.values())


def _add_rows(one: CapacityRow, other: CapacityRow) -> CapacityRow:
    return replace(
        one,
        device_count=_add(one.device_count, other.device_count),
        standard_racks=_add(one.standard_racks, other.standard_racks),
        memory_bytes=_add(one.memory_bytes, other.memory_bytes),
        bandwidth_bytes_per_s=_add(one.bandwidth_bytes_per_s, other.bandwidth_bytes_per_s),
        gflops={name: found + other.gflops[name] for name, found in one.gflops.items()},
    )


def _add(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _digest_site(site: LiveSite) -> dict[str, Digests]:
    inventory = site.columns.inventory
    is_active = ~site.columns.is_retired
    found: dict[str, Digests] = {}
    for chip, name in enumerate(inventory.head.chips):
        numbers = np.flatnonzero(is_active & (inventory.chip == chip))
        ids = inventory.hardware_ids.take(numbers).to_pylist()
        if ids:
            found[name] = read_digests(b"".join(map(digest_device, ids)))
    return found


async def _build_scenarios(view: Transaction) -> ScenarioBody:
    """Return what replicas are there for: the surfaces of the models that they serve."""
    replicas = await view.replicas.list_by_ids(EVERYTHING, None)
    deployments = await view.deployments.list_by_ids(EVERYTHING, {replica.deployment_id for replica in replicas})
    models = {
        model.id: model.facts
        for model in await view.models.list_by_ids(EVERYTHING, {each.model_id for each in deployments})
    }
    served: dict[str, list[str]] = {}
    for deployment in deployments:
        facts = models[deployment.model_id]
        for surface in facts.surfaces:
            served.setdefault(str(surface), []).append(facts.name)
    lines = [
        ScenarioLine(name=name, models=tuple(sorted(set(found))), deployment_count=len(found))
        for name, found in sorted(served.items())
    ]
    return ScenarioBody(tuple(lines))
