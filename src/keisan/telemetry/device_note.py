"""What people and challenges said of a site's devices, by hardware id: which are closed to work, what each was measured to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from keisan.telemetry.site_columns import SiteColumns


@dataclass(frozen=True, slots=True)
class DeviceNotes:
    """Two are equal if they say the same. `measured_gflops` are in 10^9 operations a second."""

    closed: frozenset[str] = frozenset()
    measured_gflops: Mapping[str, int] = field(default_factory=dict)

    def write(self, columns: SiteColumns) -> bool:
        """Write them into a site's columns, and tell whether that changed anything; of devices that it lacks nothing is said."""
        hardware_ids = columns.inventory.hardware_ids
        closed = pa.array(sorted(self.closed), pa.utf8())
        is_cordoned = pc.is_in(hardware_ids, value_set=closed).to_numpy(zero_copy_only=False)
        names = pa.array(self.measured_gflops.keys(), pa.utf8())
        place = pc.index_in(hardware_ids, value_set=names).fill_null(len(names)).to_numpy()
        measured = np.array([*self.measured_gflops.values(), -1], np.int64)[place]
        if np.array_equal(columns.is_cordoned, is_cordoned) and np.array_equal(columns.gflops[1], measured):
            return False
        columns.is_cordoned[:], columns.gflops[1] = is_cordoned, measured
        return True


NO_NOTES = DeviceNotes()
