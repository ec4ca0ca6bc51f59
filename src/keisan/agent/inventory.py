"""A site's inventory on its own disk: devices get a number when they are first seen, and keep it for good.

Which devices are supernodes is the operator's word (agent/supernode.py); what came of it is kept, as a change is a new version.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from keisan.agent.document import read_document, write_document
from keisan.agent.supernode import NO_PLANS, SupernodePlans
from keisan.domain.inventory import InventoryHead, SupernodeEntry, digest_devices
from keisan.domain.supernode_plan import PlannedDevice
from keisan.kit.ids import create_id
from keisan.kit.observe import write_log, write_warning
from keisan.wire.device import DeviceReport
from keisan.wire.inventory import Inventory, encode_inventory

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """What is told of a device once; memory is 0 where it is not known."""

    hardware_id: str
    node: str
    chip: str
    name: str
    memory_mib: int

    @classmethod
    def of(cls, report: DeviceReport) -> "InventoryRow":
        """Return the row of a device as its driver reports it."""
        return cls(report.hardware_id, report.node_hardware_id, report.chip, report.name, report.memory_bytes // MIB)


class InventoryFile:
    """The rows in the order of their numbers. One that cannot be read is begun anew: another incarnation, which has no past.

    One that cannot be written, on a disk that is full, goes on in memory and is written as soon as it can be. If this process
    ends before that, the next one knows fewer devices than the platform: its frames are refused by their digests, and it
    begins anew.
    """

    def __init__(self, path: Path, plans: SupernodePlans = NO_PLANS) -> None:
        self._path = path
        self._plans = plans
        self._digests: dict[int, str] = {}
        self.is_kept = True
        self.incarnation, self.version, self.rows, self.supernodes = _load(path)

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each device by its hardware id."""
        return {row.hardware_id: number for number, row in enumerate(self.rows)}

    def follow(self, reports: Iterable[DeviceReport]) -> bool:
        """Number new devices and note what changed of known ones; tell whether anything did.

        What is no longer reported stays.
        """
        told = {row.hardware_id: row for row in self.rows}
        told |= {report.hardware_id: InventoryRow.of(report) for report in reports}
        rows = tuple(told.values())
        supernodes = self._plans.resolve(PlannedDevice(row.hardware_id, row.node, row.chip) for row in rows)
        if (rows, supernodes) == (self.rows, self.supernodes):
            if not self.is_kept:
                self._keep()
            return False
        self.version, self.rows, self.supernodes = self.version + 1, rows, supernodes
        self._keep()
        return True

    def digest(self, count: int) -> str:
        """Return the digest of the first `count` devices; rows are only ever added, so it stays true."""
        found = self._digests.get(count)
        if found is None:
            found = self._digests[count] = digest_devices(row.hardware_id for row in self.rows[:count])
        return found

    def _keep(self) -> None:
        content = {
            "incarnation": self.incarnation,
            "version": self.version,
            "rows": [asdict(row) for row in self.rows],
            "supernodes": [asdict(entry) for entry in self.supernodes],
        }
        try:
            write_document(self._path, content)
        except OSError as failure:
            if self.is_kept:
                write_warning("inventory.not_kept", path=str(self._path), fault=str(failure))
            self.is_kept = False
            return
        if not self.is_kept:
            write_log("inventory.kept", path=str(self._path))
        self.is_kept = True

    def begin_anew(self) -> None:
        """Go on as another incarnation, with the same rows: the platform refuses what this one tells."""
        write_warning("inventory.begun_anew", path=str(self._path), fault="the platform knows another past of it")
        self.incarnation, self.version = str(create_id()), 1
        self._keep()

    def write(self) -> bytes:
        """Return the inventory as the platform is told it; there must be a device."""
        nodes, chips, names = (_Numbering() for _ in range(3))
        places = [(nodes.find(row.node), chips.find(row.chip), names.find(row.name)) for row in self.rows]
        node, chip, name = np.array(places, np.int32).T
        head = InventoryHead(self.incarnation, self.version, nodes.texts, chips.texts, names.texts, self.supernodes)
        place_of = {member: place for place, entry in enumerate(self.supernodes) for member in entry.members}
        inventory = Inventory(
            head=head,
            hardware_ids=pa.array([row.hardware_id for row in self.rows], pa.utf8()),
            node=node,
            chip=chip,
            name=name,
            supernode=np.array([place_of.get(row.hardware_id, -1) for row in self.rows], np.int32),
            memory_mib=np.array([row.memory_mib for row in self.rows], np.int32),
            is_retired=np.zeros(len(self.rows), np.bool_),
        )
        return encode_inventory(inventory)


class _Numbering:
    """Gives each text the place at which it first came."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(self._places)

    def find(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))


def _load(path: Path) -> tuple[str, int, tuple[InventoryRow, ...], tuple[SupernodeEntry, ...]]:
    if path.exists():
        try:
            kept = read_document(path)
            rows = kept["rows"]
            if isinstance(rows, list):
                found = tuple(InventoryRow(**row) for row in rows)
                # An earlier release knew no supernodes.
                supernodes = msgspec.convert(kept.get("supernodes", ()), tuple[SupernodeEntry, ...])
                return str(kept["incarnation"]), int(str(kept["version"])), found, supernodes
        except (OSError, ValueError, KeyError, TypeError) as failure:
            write_warning("inventory.begun_anew", path=str(path), fault=repr(failure))
    return str(create_id()), 0, (), ()
