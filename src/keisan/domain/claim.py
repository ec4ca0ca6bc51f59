"""A claim: what a site's owner says there is of one chip. It is believed only once it is connected, and then measured."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from keisan.domain.capacity import CapacityRow
from keisan.domain.challenge import Workload
from keisan.domain.chip import Chip, find_chip_fact, find_figure
from keisan.domain.facility import RecordOutcome
from keisan.domain.fact import FactName
from keisan.domain.figure import GIGA, THROUGHPUTS, FigureName, Precision
from keisan.domain.ids import ClaimId, KeyId, PlatformId, ProviderId, SiteId
from keisan.domain.provider import Provider
from keisan.domain.site import Site

# Chips do bf16 as fast as fp16.
PRECISIONS: Mapping[Workload, Precision] = {
    Workload.FP64: Precision.FP64,
    Workload.FP32: Precision.FP32,
    Workload.TF32: Precision.TF32,
    Workload.FP16: Precision.FP16,
    Workload.BF16: Precision.FP16,
    Workload.INT8: Precision.INT8,
}


@dataclass(frozen=True, slots=True)
class ClaimedCapacity:
    """Sums over all devices of one chip at a site; None, or no line, for what the owner does not say."""

    device_count: int
    standard_racks: int | None = None
    memory_bytes: int | None = None
    bandwidth_bytes_per_s: int | None = None
    gflops: Mapping[Precision, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """The one claim of a site and chip that stands; `chip` is an id of the catalogue, or one that it does not know yet."""

    id: ClaimId
    platform_id: PlatformId
    site_id: SiteId
    chip: str
    claimed: ClaimedCapacity
    claimed_by: KeyId
    claimed_at: datetime
    version: int
    created_at: datetime


def merge_claim(stored: Claim | None, new: Claim) -> tuple[Claim, RecordOutcome]:
    """Return which claim of a site and chip stands after `new` was made, and what became of it."""
    if stored is None:
        return new, RecordOutcome.CREATED
    if new.claimed == stored.claimed:
        return stored, RecordOutcome.UNCHANGED
    kept = replace(new, id=stored.id, created_at=stored.created_at, version=stored.version + 1)
    return kept, RecordOutcome.CHANGED


def list_registered(
    claims: Iterable[Claim],
    sites: Mapping[SiteId, Site],
    providers: Mapping[ProviderId, Provider],
    chips: Mapping[str, Chip],
) -> tuple[CapacityRow, ...]:
    """Return claims as rows of registered capacity; a chip that the catalogue does not know has no vendor and no origin."""
    rows = []
    for claim in claims:
        site, claimed = sites[claim.site_id], claim.claimed
        rows.append(
            CapacityRow(
                region=site.region,
                provider=providers[site.provider_id].name,
                vendor=find_chip_fact(chips, claim.chip, FactName.VENDOR),
                chip=claim.chip,
                origin=find_chip_fact(chips, claim.chip, FactName.DESIGNED_IN),
                device_count=claimed.device_count,
                standard_racks=claimed.standard_racks,
                memory_bytes=claimed.memory_bytes,
                bandwidth_bytes_per_s=claimed.bandwidth_bytes_per_s,
                gflops=claimed.gflops,
                site_id=claim.site_id,
            )
        )
    return tuple(rows)


def find_claimed_per_s(claim: Claim | None, chip: Chip | None, workload: Workload) -> int | None:
    """Return what one device is said to do, in operations or bytes per second: by its owner, or else by the catalogue.

    None where neither says anything.
    """
    said = None if claim is None else _read_claim(claim.claimed, workload)
    return said if said is not None or chip is None else _read_chip(chip, workload)


def _read_claim(claimed: ClaimedCapacity, workload: Workload) -> int | None:
    gflops = claimed.gflops.get(PRECISIONS[workload]) if workload in PRECISIONS else None
    whole = claimed.bandwidth_bytes_per_s if workload is Workload.MEMORY else None if gflops is None else gflops * GIGA
    return None if whole is None or not claimed.device_count else whole // claimed.device_count


def _read_chip(chip: Chip, workload: Workload) -> int | None:
    is_memory = workload is Workload.MEMORY
    name = FigureName.MEMORY_GB_PER_S if is_memory else THROUGHPUTS[PRECISIONS[workload]]
    nominal = find_figure(chip, name).nominal
    return None if nominal is None else nominal * GIGA
