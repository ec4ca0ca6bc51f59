"""Counting once: of sites and devices that several platforms report, which part is counted as whose.

Devices are told apart by digests of their hardware ids. 10^6 of them are put in order at once: about a fifth of a second.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from keisan.domain.capacity import CapacityRow, take_share
from keisan.domain.ids import PlatformId, SiteId
from keisan.domain.site_report import SiteReport, rank_report

Digests = npt.NDArray[np.uint64]
NO_DIGESTS: Digests = np.zeros(0, np.uint64)
SiteKey = tuple[PlatformId, SiteId]
# A sixty-fourth of a SHA-256: among 10^6 devices, two are taken for one with a chance of 3 in 10^8.
_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class ReportedSite:
    """A site as one platform reports it, with the digests of its devices by chip."""

    report: SiteReport
    digests: Mapping[str, Digests] = field(default_factory=dict)

    @property
    def key(self) -> SiteKey:
        """Return whose word it is, on which site."""
        return (self.report.reporter_id, self.report.site_id)

    @property
    def device_count(self) -> int:
        """Return of how many devices it tells digests."""
        return sum(map(len, self.digests.values()))


@dataclass(frozen=True, slots=True)
class SharedSite:
    """A site of which a part is not counted as its reporter's: devices that belong to another, or all of it."""

    reporter_id: PlatformId
    site_id: SiteId
    owner_ids: tuple[PlatformId, ...]
    device_count: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class CountedOnce:
    """`kept` tells, by site and chip, how many of how many devices are counted; `losers` are sites that are another's, as a whole."""

    kept: Mapping[tuple[SiteKey, str], tuple[int, int]] = field(default_factory=dict)
    losers: frozenset[SiteKey] = frozenset()
    shared: Sequence[SharedSite] = ()

    def count_row(self, reporter_id: PlatformId, row: CapacityRow) -> CapacityRow | None:
        """Return what of a row counts, None if nothing does. A row without a site, or of a chip that has no digests, counts whole."""
        if row.site_id is None:
            return row
        key = (reporter_id, row.site_id)
        if key in self.losers:
            return None
        kept, whole = self.kept.get((key, row.chip or ""), (1, 1))
        return take_share(row, kept, whole) if kept else None


def digest_device(hardware_id: str) -> bytes:
    """Return by which digest a device is told apart: the same wherever it is reported, and of no use for anything else."""
    return hashlib.sha256(b"keisan device\0" + hardware_id.encode()).digest()[:_DIGEST_BYTES]


def read_digests(content: bytes) -> Digests:
    """Return digests of bytes that are one after the other, as numbers in order."""
    return np.sort(np.frombuffer(content, ">u8").astype(np.uint64))


def count_once(sites: Iterable[ReportedSite]) -> CountedOnce:
    """Return what of each site is counted: each site as its first verified reporter's, and so each device."""
    ordered = sorted(sites, key=lambda site: rank_report(site.report))
    owners: dict[SiteId, PlatformId] = {}
    for site in ordered:
        owners.setdefault(site.report.site_id, site.report.reporter_id)
    losers = frozenset(site.key for site in ordered if owners[site.report.site_id] != site.report.reporter_id)
    owning = [site for site in ordered if site.key not in losers]
    lost = [
        SharedSite(*site.key, (owners[site.report.site_id],), site.device_count, is_whole=True)
        for site in ordered
        if site.key in losers
    ]
    kept, shared = _count_devices(owning)
    return CountedOnce(kept, losers, (*lost, *shared))


def _count_devices(
    sites: Sequence[ReportedSite],
) -> tuple[dict[tuple[SiteKey, str], tuple[int, int]], list[SharedSite]]:
    """Return what is kept where something is not, and which sites that is of; sites come in the order of their rights."""
    blocks = [(number, chip, digests) for number, site in enumerate(sites) for chip, digests in site.digests.items()]
    if not blocks:
        return {}, []
    every = np.concatenate([digests for *_, digests in blocks])
    block_of = np.repeat(np.arange(len(blocks)), [len(digests) for *_, digests in blocks])
    # A stable order: of equal digests the first is that of the site with the better right.
    unique, first_at, number_of = np.unique(every, return_index=True, return_inverse=True)
    if len(unique) == len(every):
        return {}, []
    owner_of = block_of[first_at][number_of]
    is_first = np.zeros(len(every), np.bool_)
    is_first[first_at] = True
    kept_of = np.bincount(block_of[is_first], minlength=len(blocks))
    kept: dict[tuple[SiteKey, str], tuple[int, int]] = {}
    found: dict[int, tuple[int, set[PlatformId]]] = {}
    for block in np.flatnonzero(kept_of < np.array([len(digests) for *_, digests in blocks])).tolist():
        number, chip, digests = blocks[block]
        kept[sites[number].key, chip] = (int(kept_of[block]), len(digests))
        owning_blocks = np.unique(owner_of[(block_of == block) & ~is_first]).tolist()
        count, owners = found.get(number, (0, set[PlatformId]()))
        owners |= {sites[blocks[each][0]].report.reporter_id for each in owning_blocks}
        found[number] = (count + len(digests) - int(kept_of[block]), owners)
    shared = [
        SharedSite(*sites[number].key, tuple(sorted(owners)), count, is_whole=False)
        for number, (count, owners) in found.items()
    ]
    return kept, shared
