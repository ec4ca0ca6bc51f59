"""A simulated nation: which sites and devices there are, from a seed, and what they measure, frame by frame."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

import numpy as np
import pyarrow as pa

from keisan.devices.simulated_sampler import FaultRates, SimulatedChip, SimulatedSampler
from keisan.domain.inventory import InventoryHead, SupernodeEntry, digest_devices
from keisan.domain.sample import DEAR_EVERY_MAX, FrameHead
from keisan.wire.frame import Numbers, Values, encode_frame
from keisan.wire.inventory import Inventory

# The 31 provincial units of the mainland (ISO 3166-2), the platform's ten first sub-platforms at the front.
REGIONS: Final = (
    *("CN-SX", "CN-LN", "CN-SH", "CN-JS", "CN-ZJ", "CN-SD", "CN-HA", "CN-QH", "CN-NX", "CN-XJ"),
    *("CN-BJ", "CN-TJ", "CN-HE", "CN-NM", "CN-JL", "CN-HL", "CN-AH", "CN-FJ", "CN-JX", "CN-HB", "CN-HN"),
    *("CN-GD", "CN-GX", "CN-HI", "CN-CQ", "CN-SC", "CN-GZ", "CN-YN", "CN-XZ", "CN-SN", "CN-GS"),
)
NODE_DEVICES: Final = 8
# Once a minute at 10 s.
DEAR_EVERY: Final = DEAR_EVERY_MAX


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What to simulate. Devices are spread evenly over regions, and over the sites of each."""

    regions: int
    devices: int
    sites_per_region: int
    period_ms: int
    seed: int
    faults: FaultRates


@dataclass(frozen=True, slots=True)
class Kind:
    """What a site is made of: one chip, so many devices to a supernode."""

    chip: str
    name: str
    play: SimulatedChip
    supernode_devices: int
    template: str


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One site of the plan; `number` counts through all of them."""

    number: int
    name: str
    region: str
    device_count: int
    kind: Kind


def plan_sites(plan: FleetPlan, kinds: tuple[Kind, ...]) -> tuple[SitePlan, ...]:
    """Return the sites, those of a region side by side."""
    sites: list[SitePlan] = []
    for region, in_region in zip(REGIONS, _split(plan.devices, plan.regions), strict=False):
        for number, in_site in enumerate(_split(in_region, plan.sites_per_region), start=1):
            if in_site:
                kind = kinds[len(sites) % len(kinds)]
                sites.append(SitePlan(len(sites), f"simulated-{region.lower()}-{number}", region, in_site, kind))
    return tuple(sites)


def _split(total: int, parts: int) -> Iterator[int]:
    for part in range(parts):
        yield total // parts + (part < total % parts)


@dataclass(slots=True, eq=False)
class SimulatedSite:
    """One site's devices. A frame's sequence is the number of its period since 1970, so a later run goes on with it.

    A generator that is behind makes several in one period: each has a number of its own all the same.
    """

    plan: FleetPlan
    site: SitePlan
    inventory: Inventory = field(init=False)
    _sampler: SimulatedSampler = field(init=False)
    _read: int = 0
    _sequence: int = -1
    _digest: str = ""

    def __post_init__(self) -> None:
        self.inventory = build_inventory(self.plan, self.site)
        self._digest = digest_devices(self.inventory.hardware_ids.to_pylist())
        chips = [self.site.kind.play] * self.site.device_count
        self._sampler = SimulatedSampler(chips, self.plan.seed * 100_003 + self.site.number, self.plan.faults)

    def read(self) -> tuple[Numbers, Values]:
        """Return the next readings of all devices that answer."""
        is_dear = self._read % DEAR_EVERY == self.site.number % DEAR_EVERY
        self._read += 1
        return self._sampler.read(self.plan.period_ms / 1000, is_dear=is_dear)

    def write_frame(self, numbers: Numbers, values: Values, sampled_at_ms: int) -> bytes:
        """Return the frame of readings taken at `sampled_at_ms`."""
        self._sequence = max(self._sequence + 1, sampled_at_ms // self.plan.period_ms)
        head = FrameHead(
            incarnation=self.inventory.head.incarnation,
            inventory_version=self.inventory.head.version,
            sequence=self._sequence,
            sampled_at_ms=sampled_at_ms,
            period_ms=self.plan.period_ms,
            device_count=self.inventory.device_count,
            device_digest=self._digest,
        )
        return encode_frame(head, numbers, values)


def build_inventory(plan: FleetPlan, site: SitePlan) -> Inventory:
    """Return a site's inventory; the same plan gives the same one, whose incarnation says which plan that was."""
    count = site.device_count
    numbers = np.arange(count, dtype=np.int32)
    node_count = -(-count // NODE_DEVICES)
    supernode_count = -(-count // site.kind.supernode_devices)
    root = uuid5(NAMESPACE_URL, f"keisan:simulated:{plan.seed}:{site.name}:{count}:{site.kind.chip}:{plan.period_ms}")
    head = InventoryHead(
        incarnation=str(root),
        version=1,
        nodes=tuple(_name_hardware(root, "node", number) for number in range(node_count)),
        chips=(site.kind.chip,),
        names=(f"{site.kind.name} (simulated)",),
        supernodes=tuple(
            SupernodeEntry(
                f"{site.name}-supernode-{number + 1}", site.kind.template, links_per_member=site.kind.play.link_count
            )
            for number in range(supernode_count)
        ),
    )
    return Inventory(
        head=head,
        hardware_ids=pa.array([_name_hardware(root, "device", number) for number in range(count)], pa.utf8()),
        node=numbers // NODE_DEVICES,
        chip=np.zeros(count, np.int32),
        name=np.zeros(count, np.int32),
        supernode=numbers // site.kind.supernode_devices,
        memory_mib=np.full(count, site.kind.play.memory_mib, np.int32),
        is_retired=np.zeros(count, np.bool_),
    )


def _name_hardware(root: UUID, what: str, number: int) -> str:
    return f"simulated-{what}-{root.hex[:12]}-{number}"
