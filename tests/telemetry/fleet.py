"""Small inventories and fleets that tests of telemetry build on."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from keisan.domain.ids import ProviderId, SiteId
from keisan.domain.inventory import InventoryHead, SupernodeEntry
from keisan.domain.sample import FIELD_INDEX, HEALTH_CODES, MISSING, FrameHead, SampleName
from keisan.domain.verdict import Verdict
from keisan.kit.clock import to_milliseconds
from keisan.telemetry.live_site import Moment, SitePlace
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


def build_inventory_body(count: int = 4, **fields: Any) -> bytes:
    """Return the bytes of a small site's inventory, two devices to a node."""
    return encode_inventory(build_inventory([number // 2 for number in range(count)], **fields))


def build_frame_body(sequence: int = 1, count: int = 4, **fields: Any) -> bytes:
    """Return the bytes of a frame of that inventory, stamped when the clocks of the tests stand still."""
    head = build_head(sequence, **{"sampled_at_ms": to_milliseconds(NOW), **fields})
    return encode_frame(head, np.arange(count, dtype=np.uint32), build_values(count, utilization_permille=500))
