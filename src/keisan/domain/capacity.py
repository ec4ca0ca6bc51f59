"""Capacity: how much compute there is, in five kinds that are shown side by side and never added to each other.

A figure that nobody told is None, and stays None in a sum to which nobody told it: unknown is never nought.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from keisan.domain.figure import Precision
from keisan.domain.ids import SiteId

PPM = 1_000_000


class CapacityKind(StrEnum):
    """How capacity is known. Surveyed is of facilities that are not connected, so it is no part of any other kind."""

    REGISTERED = "registered"
    CONNECTED = "connected"
    SCHEDULABLE = "schedulable"
    VERIFIED = "verified"
    SURVEYED = "surveyed"


class CapacityKey(StrEnum):
    """What capacity is summed by."""

    REGION = "region"
    PROVIDER = "provider"
    VENDOR = "vendor"
    CHIP = "chip"
    ORIGIN = "origin"


class CapacityFigure(StrEnum):
    """The figures of a row beside its throughput."""

    DEVICE_COUNT = "device_count"
    STANDARD_RACKS = "standard_racks"
    MEMORY_BYTES = "memory_bytes"
    BANDWIDTH_BYTES_PER_S = "bandwidth_bytes_per_s"


@dataclass(frozen=True, slots=True)
class CapacityRow:
    """Capacity of one chip at one place: sums over its devices, None for what is not known.

    `region` is an ISO 3166-2 code, `provider` a name, `chip` an id of the catalogue, `origin` the code of the country that
    the chip was designed in. A standard rack is 2.5 kW of rated power. `gflops` has a line for each precision that is known.
    `site_id` is the site that has it, None for what is surveyed.
    """

    region: str
    provider: str | None = None
    vendor: str | None = None
    chip: str | None = None
    origin: str | None = None
    device_count: int | None = None
    standard_racks: int | None = None
    memory_bytes: int | None = None
    bandwidth_bytes_per_s: int | None = None
    gflops: Mapping[Precision, int] = field(default_factory=dict)
    site_id: SiteId | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """A sum of what rows tell: None where no row tells it. `untold_rows` do not, so the truth is `value` or more."""

    value: int | None
    untold_rows: int = 0


@dataclass(frozen=True, slots=True)
class CapacitySum:
    """Capacity of all rows with one value of a key; `value` None: of those of which it is not known."""

    value: str | None
    row_count: int
    figures: Mapping[CapacityFigure, Total]
    gflops: Mapping[Precision, Total]


def sum_capacity(rows: Iterable[CapacityRow], key: CapacityKey | None) -> tuple[CapacitySum, ...]:
    """Return sums by a key in order of its values, what has none last; by no key one sum of all rows, none without rows."""
    groups: dict[str | None, list[CapacityRow]] = {}
    for row in rows:
        groups.setdefault(None if key is None else _read_key(row, key), []).append(row)
    ordered = sorted(groups, key=lambda value: (value is None, value or ""))
    return tuple(_sum_group(value, groups[value]) for value in ordered)


def take_share(row: CapacityRow, kept: int, whole: int) -> CapacityRow:
    """Return the part of a row that `kept` of `whole` devices are, rounded down: what is known stays known."""
    if kept == whole:
        return row
    return replace(
        row,
        device_count=_share(row.device_count, kept, whole),
        standard_racks=_share(row.standard_racks, kept, whole),
        memory_bytes=_share(row.memory_bytes, kept, whole),
        bandwidth_bytes_per_s=_share(row.bandwidth_bytes_per_s, kept, whole),
        gflops={precision: found * kept // whole for precision, found in row.gflops.items()},
    )


def forget_figures(row: CapacityRow) -> CapacityRow:
    """Return a row of which nothing is known any more but that it is there."""
    return replace(
        row, device_count=None, standard_racks=None, memory_bytes=None, bandwidth_bytes_per_s=None, gflops={}
    )


def _share(told: int | None, kept: int, whole: int) -> int | None:
    return None if told is None else told * kept // whole


def state_share_ppm(connected: int | None, registered: int | None, surveyed: int | None) -> int | None:
    """Return which share of all compute is connected, in millionths; None unless all of it is known.

    All compute is what is surveyed, which is not connected, and what is registered or connected, whichever is more: a site
    may have registered what it has not connected yet. Registered unknown counts as no more than what is connected.
    """
    if connected is None or surveyed is None:
        return None
    whole = max(connected, registered or 0) + surveyed
    return connected * PPM // whole if whole else None


def _read_key(row: CapacityRow, key: CapacityKey) -> str | None:
    found: str | None = getattr(row, key)
    return found


def _read_figure(name: CapacityFigure) -> Callable[[CapacityRow], int | None]:
    return lambda row: getattr(row, name)


def _read_gflops(precision: Precision) -> Callable[[CapacityRow], int | None]:
    return lambda row: row.gflops.get(precision)


def _sum_group(value: str | None, rows: list[CapacityRow]) -> CapacitySum:
    gflops = {precision: _add_up(rows, _read_gflops(precision)) for precision in Precision}
    return CapacitySum(
        value=value,
        row_count=len(rows),
        figures={name: _add_up(rows, _read_figure(name)) for name in CapacityFigure},
        gflops={precision: total for precision, total in gflops.items() if total.value is not None},
    )


def _add_up(rows: list[CapacityRow], read: Callable[[CapacityRow], int | None]) -> Total:
    told = [found for found in map(read, rows) if found is not None]
    return Total(sum(told) if told else None, len(rows) - len(told))
