"""Bodies of the registers that go up to a parent: ROLL_UP, INVENTORY and SCENARIO. No device's own word is in any of them.

Rows without names, since roll-ups travel every second. A newer platform appends to them, and an older one passes that over.
"""

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec

from keisan.domain.capacity import CapacityKind, CapacityRow
from keisan.domain.errors import InvalidInput
from keisan.domain.figure import Precision
from keisan.domain.ids import SiteId
from keisan.domain.letter import Letter
from keisan.domain.roll_up import SUMMED_FIELDS, CountName, FieldSum, Level, RollUp, judge_group
from keisan.kit.clock import from_milliseconds, to_milliseconds

# A platform writes one INVENTORY register called so, one for each site by its id, and parts of that by id/number.
SUMMARY_REGISTER: Final = "platform"
SCENARIO_REGISTER: Final = "served"
DIGEST_BYTES: Final = 8

Body = TypeVar("Body")
# Whoever signed it may have written anything: no number may end what reads it.
Number = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Total = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Stamp = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_000_000)]


class RollUpBody(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A region's roll-up. Its name is the register's; counts and sums are in the order of CountName and SUMMED_FIELDS.

    `told_ms` is the author's clock as it was told; proven and sampled are in ms since 1970 by that clock, 0 for never.
    """

    told_ms: Stamp
    proven_ms: Stamp
    sampled_ms: Stamp
    hottest: Total | None
    counts: tuple[Number, ...]
    totals: tuple[Total, ...]
    tellers: tuple[Number, ...]


class RowBody(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """See domain.capacity.CapacityRow, without its region where a site tells that."""

    region: str
    vendor: str | None
    chip: str | None
    origin: str | None
    provider: str | None
    device_count: Number | None
    standard_racks: Number | None
    memory_bytes: Number | None
    bandwidth_bytes_per_s: Number | None
    gflops: dict[str, Number] = {}


Rows = dict[str, tuple[RowBody, ...]]


class SiteBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A site: its capacity by kind, and in how many parts the digests of its devices are told."""

    region: str
    kinds: Rows = {}
    part_count: Number = 0


class PartBody(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Digests of a site's devices, by chip: DIGEST_BYTES each, in order, one after the other."""

    digests: dict[str, bytes] = {}


class SummaryBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What a platform tells of its subjects, its ecosystem and what it surveyed. Names only where its operator lets them go."""

    site_count: Number = 0
    organization_count: Number = 0
    provider_count: Number = 0
    organizations: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    models: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    surveyed: tuple[RowBody, ...] = ()


class ScenarioLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What compute is used for: the models that are deployed for it, and in how many deployments."""

    name: str
    models: tuple[str, ...] = ()
    deployment_count: Number = 0


class ScenarioBody(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """All that a platform's compute is used for."""

    scenarios: tuple[ScenarioLine, ...] = ()


_encode = msgspec.json.Encoder().encode
_COUNTS = tuple(CountName)


def encode_region_body(body: RollUpBody | SiteBody | PartBody | SummaryBody | ScenarioBody) -> bytes:
    """Return the body of a letter."""
    return _encode(body)


def build_rollup_body(rollup: RollUp, told_ms: int) -> RollUpBody:
    """Return a region's roll-up as it is told."""
    return RollUpBody(
        told_ms=told_ms,
        proven_ms=0 if rollup.proven_at is None else to_milliseconds(rollup.proven_at),
        sampled_ms=0 if rollup.sampled_at is None else to_milliseconds(rollup.sampled_at),
        hottest=rollup.temperature_most_millicelsius,
        counts=tuple(rollup.counts[name] for name in _COUNTS),
        totals=tuple(rollup.sums[name].total for name in SUMMED_FIELDS),
        tellers=tuple(rollup.sums[name].devices for name in SUMMED_FIELDS),
    )


def read_rollup(letter: Letter) -> RollUp:
    """Return the roll-up that a letter tells; raises InvalidInput for what is none, or for numbers that no fleet can have."""
    body = _read(letter, RollUpBody)
    counts = dict.fromkeys(CountName, 0) | dict(zip(_COUNTS, body.counts, strict=False))
    pairs = [*map(FieldSum, body.totals, body.tellers)]
    devices = counts[CountName.DEVICES]
    parts = (CountName.OK, CountName.UNKNOWN, CountName.FAILED)
    if max(body.tellers, default=0) > devices:
        raise InvalidInput("expected no sum over more devices than there are", "letter.body")
    if counts[CountName.REPORTING] > devices or sum(counts[name] for name in parts) != devices:
        raise InvalidInput("expected each device once: ok, unknown or failed", "letter.body")
    return RollUp(
        level=Level.REGION,
        name=letter.name,
        region=letter.name,
        provider_id=None,
        site_id=None,
        verdict=judge_group(counts[CountName.OK], counts[CountName.FAILED], counts[CountName.REPORTING]),
        counts=counts,
        sums=dict.fromkeys(SUMMED_FIELDS, FieldSum(0, 0)) | dict(zip(SUMMED_FIELDS, pairs, strict=False)),
        temperature_most_millicelsius=body.hottest,
        proven_at=from_milliseconds(body.proven_ms) if body.proven_ms else None,
        sampled_at=from_milliseconds(body.sampled_ms) if body.sampled_ms else None,
    )


def read_site_body(letter: Letter) -> SiteBody:
    """Return what a letter tells of a site; raises InvalidInput for what is no such thing."""
    return _read(letter, SiteBody)


def read_part_body(letter: Letter) -> PartBody:
    """Return a part of a site's digests; raises InvalidInput for what is none."""
    body = _read(letter, PartBody)
    if any(len(digests) % DIGEST_BYTES for digests in body.digests.values()):
        raise InvalidInput(f"expected digests of {DIGEST_BYTES} bytes", "letter.body")
    return body


def read_summary_body(letter: Letter) -> SummaryBody:
    """Return what a platform tells of itself; raises InvalidInput for what is no such thing."""
    return _read(letter, SummaryBody)


def read_scenario_body(letter: Letter) -> ScenarioBody:
    """Return what a platform's compute is used for; raises InvalidInput for what is no such thing."""
    return _read(letter, ScenarioBody)


def build_row_body(row: CapacityRow, *, with_provider: bool) -> RowBody:
    """Return a row as it is told; who owns it only where the operator lets that go."""
    return RowBody(
        region=row.region,
        vendor=row.vendor,
        chip=row.chip,
        origin=row.origin,
        provider=row.provider if with_provider else None,
        device_count=row.device_count,
        standard_racks=row.standard_racks,
        memory_bytes=row.memory_bytes,
        bandwidth_bytes_per_s=row.bandwidth_bytes_per_s,
        gflops={str(name): found for name, found in row.gflops.items()},
    )


def build_row(body: RowBody, region: str, site_id: SiteId | None) -> CapacityRow:
    """Return a row as it was told, in a region that its author may speak of; precisions that are not known here are left out."""
    known = {str(name): name for name in Precision}
    return CapacityRow(
        region=region,
        provider=body.provider,
        vendor=body.vendor,
        chip=body.chip,
        origin=body.origin,
        device_count=body.device_count,
        standard_racks=body.standard_racks,
        memory_bytes=body.memory_bytes,
        bandwidth_bytes_per_s=body.bandwidth_bytes_per_s,
        gflops={known[name]: found for name, found in body.gflops.items() if name in known},
        site_id=site_id,
    )


def build_kinds(bodies: Mapping[str, tuple[RowBody, ...]]) -> dict[CapacityKind, tuple[RowBody, ...]]:
    """Return rows by the kinds that are known here."""
    known = {str(kind): kind for kind in CapacityKind}
    return {known[kind]: rows for kind, rows in bodies.items() if kind in known}


def _read(letter: Letter, kind: type[Body]) -> Body:
    try:
        return msgspec.json.decode(letter.body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as fault:
        raise InvalidInput("not what a platform tells its parent", "letter.body", str(fault)) from fault
