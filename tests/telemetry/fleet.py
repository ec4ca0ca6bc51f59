"""Small inventories and fleets that tests of telemetry build on, and a slow recount of what they come to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.inventory import InventoryHead, SupernodeEntry
from keisan.domain.roll_up import SUMMED_FIELDS, CountName, FieldSum
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, FrameHead, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import to_milliseconds
from keisan.telemetry.live_site import LiveSite, Moment, SitePlace
from keisan.telemetry.roll_up import Sums
from keisan.telemetry.site_columns import NEVER_MS, PERIODS_MISSED_MAX
from keisan.wire.frame import encode_frame
from keisan.wire.inventory import Inventory, encode_inventory

PERIOD_MS = 10_000
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOMINAL_GFLOPS = {"known-chip": 148_000}
NOON = Moment(wall_ms=1_800_000_000_000, monotonic_ms=500_000)


def later(moment: Moment, by_ms: int) -> Moment:
    """Return a moment after another, by both clocks."""
    return Moment(moment.wall_ms + by_ms, moment.monotonic_ms + by_ms)


def number_site(number: int, region: str = "CN-SX", provider: int = 1) -> SitePlace:
    """Return the place of a site known by a small number."""
    return SitePlace(SiteId(UUID(int=number)), ProviderId(UUID(int=10_000 + provider)), f"site-{number}", region)


def build_inventory(
    node: Iterable[int],
    supernode_of_node: Iterable[int] = (),
    retired: Iterable[bool] | None = None,
    *,
    incarnation: str = "first",
    version: int = 1,
) -> Inventory:
    """Return an inventory with a device for each entry of `node`; chips alternate between a known and an unknown one."""
    nodes = list(node)
    count = len(nodes)
    node_count = max(nodes) + 1
    of_node = [*supernode_of_node, *[-1] * node_count][:node_count]
    chips = [number % 2 for number in range(count)]
    head = InventoryHead(
        incarnation,
        version,
        tuple(f"node-{number}" for number in range(node_count)),
        ("known-chip", "unknown-chip"),
        ("A Device",),
        tuple(SupernodeEntry(f"supernode-{number}") for number in range(max([*of_node, -1]) + 1)),
    )
    return Inventory(
        head,
        pa.array([f"device-{number}" for number in range(count)], pa.utf8()),
        node=np.array(nodes, np.int32),
        chip=np.array(chips, np.int32),
        name=np.zeros(count, np.int32),
        supernode=np.array([of_node[number] for number in nodes], np.int32),
        memory_mib=np.array([1000 + number for number in range(count)], np.int32),
        is_retired=np.array([False] * count if retired is None else list(retired), np.bool_),
    )


def build_head(sequence: int, sampled_at_ms: int = NOON.wall_ms, **fields: Any) -> FrameHead:
    """Return the head of a frame of `build_inventory`'s inventory."""
    known: dict[str, Any] = {"incarnation": "first", "inventory_version": 1, "period_ms": PERIOD_MS} | fields
    return FrameHead(sequence=sequence, sampled_at_ms=sampled_at_ms, **known)


def build_values(count: int, **columns: Any) -> np.ndarray:
    """Return values of `count` healthy devices; `columns` are given by the names of fields."""
    values = np.full((len(SampleName), count), MISSING, np.int32)
    values[FIELD_INDEX[SampleName.HEALTH]] = HEALTH_CODES[Verdict.OK]
    for name, column in columns.items():
        values[FIELD_INDEX[SampleName(name)]] = column
    return values


@dataclass(frozen=True)
class Recount:
    """The sums of one group, added up device by device."""

    counts: dict[CountName, int]
    sums: dict[SampleName, FieldSum]
    hottest: int | None
    proven_ms: int


def recount(site: LiveSite, now_ms: int, is_in: Callable[[int], bool]) -> Recount:
    """Add up the devices of a site of which `is_in` says that they are in the group: no arrays, no groups, no cache."""
    columns, inventory = site.columns, site.columns.inventory
    devices = [n for n in range(inventory.device_count) if not columns.is_retired[n] and is_in(n)]
    patience_ms = PERIODS_MISSED_MAX * columns.period_ms
    reporting = [n for n in devices if int(columns.proven_ms[n]) >= now_ms - patience_ms]

    def read(number: int, name: SampleName) -> int:
        return int(columns.values[FIELD_INDEX[name], number])

    def verdict(number: int) -> Verdict:
        code = read(number, SampleName.HEALTH)
        return Verdict.UNKNOWN if number not in reporting or code == MISSING else list(Verdict)[code]

    nominal = {n: NOMINAL_GFLOPS.get(inventory.head.chips[inventory.chip[n]]) for n in devices}
    ok = [n for n in devices if verdict(n) is Verdict.OK]
    counts = {
        CountName.DEVICES: len(devices),
        CountName.REPORTING: len(reporting),
        CountName.OK: len(ok),
        CountName.UNKNOWN: len([n for n in devices if verdict(n) is Verdict.UNKNOWN]),
        CountName.FAILED: len([n for n in devices if verdict(n) is Verdict.FAILED]),
        CountName.CORDONED: len([n for n in devices if columns.is_cordoned[n]]),
        CountName.THROTTLED: len([n for n in reporting if read(n, SampleName.THROTTLE_FLAGS) > 0]),
        CountName.MEMORY_MIB: sum(int(inventory.memory_mib[n]) for n in devices),
        CountName.NOMINAL_GFLOPS: sum(found for found in nominal.values() if found is not None),
        CountName.NOMINAL_DEVICES: len([n for n in devices if nominal[n] is not None]),
        CountName.SCHEDULABLE_GFLOPS: sum(nominal[n] or 0 for n in ok if not columns.is_cordoned[n]),
        CountName.MEASURED_GFLOPS: 0,
        CountName.MEASURED_DEVICES: 0,
    }
    sums = {}
    for name in SUMMED_FIELDS:
        told = [read(n, name) for n in reporting if read(n, name) != MISSING]
        sums[name] = FieldSum(sum(told), len(told))
    heat = [read(n, SampleName.TEMPERATURE_MILLICELSIUS) for n in reporting]
    hot = [each for each in heat if each != MISSING]
    proven_ms = max([int(columns.proven_ms[n]) for n in devices], default=NEVER_MS)
    return Recount(counts, sums, max(hot, default=None), proven_ms)


def read_group(sums: Sums, group: int) -> Recount:
    """Return what the roll-up says of one group, in the recount's form."""
    return Recount(
        dict(sums.get_counts(group)), dict(sums.get_sums(group)), sums.get_hottest(group), sums.get_proven_ms(group)
    )


def build_inventory_body(count: int = 4, **fields: Any) -> bytes:
    """Return the bytes of a small site's inventory, two devices to a node."""
    return encode_inventory(build_inventory([number // 2 for number in range(count)], **fields))


def build_frame_body(sequence: int = 1, count: int = 4, **fields: Any) -> bytes:
    """Return the bytes of a frame of that inventory, stamped when the clocks of the tests stand still."""
    head = build_head(sequence, **{"sampled_at_ms": to_milliseconds(NOW), **fields})
    return encode_frame(head, np.arange(count, dtype=np.uint32), build_values(count, utilization_permille=500))
