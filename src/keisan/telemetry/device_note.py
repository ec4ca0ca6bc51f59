"""What people and challenges said of a site's devices, by hardware id: which are closed or retired, what each was measured to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from keisan.telemetry.site_columns import Flags, SiteColumns


@dataclass(frozen=True, slots=True)
class DeviceNotes:
    """Two are equal if they say the same. `measured_gflops` are in 10^9 operations a second."""

    closed: frozenset[str] = frozenset()
    measured_gflops: Mapping[str, int] = field(default_factory=dict)
    retired: frozenset[str] = frozenset()

    def write(self, columns: SiteColumns) -> bool:
        """Write them into a site's columns, and tell whether that changed anything; of devices that it lacks nothing is said."""
        hardware_ids = columns.inventory.hardware_ids
        is_cordoned = _find_named(hardware_ids, self.closed)
        # What the inventory itself calls retired stays so.
        is_retired = _find_named(hardware_ids, self.retired) | columns.inventory.is_retired
        names = pa.array(self.measured_gflops.keys(), pa.utf8())
        # A site's agent that has no other nodes never comes here, and starts without.
        import pyarrow.compute as pc

        place = pc.index_in(hardware_ids, value_set=names).fill_null(len(names)).to_numpy()
        measured = np.array([*self.measured_gflops.values(), -1], np.int64)[place]
        known = (columns.is_cordoned, columns.is_retired, columns.gflops[1])
        if all(np.array_equal(*pair) for pair in zip(known, (is_cordoned, is_retired, measured), strict=True)):
            return False
        columns.is_cordoned[:], columns.is_retired[:], columns.gflops[1] = is_cordoned, is_retired, measured
        columns.active_count = int(np.count_nonzero(~is_retired))
        return True


def _find_named(hardware_ids: pa.StringArray, names: frozenset[str]) -> Flags:
    # As above.
    import pyarrow.compute as pc

    found = pc.is_in(hardware_ids, value_set=pa.array(sorted(names), pa.utf8()))
    flags: Flags = found.to_numpy(zero_copy_only=False)
    return flags


NO_NOTES = DeviceNotes()
