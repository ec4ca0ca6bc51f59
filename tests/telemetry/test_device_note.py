"""Notes of devices in a site's columns: those that it has, and whether that changed anything."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keisan.telemetry.device_note import NO_NOTES, DeviceNotes
from keisan.telemetry.site_columns import SiteColumns
from tests.telemetry.fleet import build_inventory

NAMES = st.sampled_from([f"device-{number}" for number in range(6)])


@given(st.frozensets(NAMES), st.dictionaries(NAMES, st.integers(0, 2**40)))
def test_each_device_has_what_was_said_of_it(closed: frozenset[str], measured: dict[str, int]) -> None:
    count = 4
    columns = SiteColumns.begin(build_inventory([0] * count), np.full((2, count), -1, np.int64))
    own = [f"device-{number}" for number in range(count)]
    notes = DeviceNotes(closed, measured)
    assert notes.write(columns) == any(name in closed or name in measured for name in own)
    assert columns.is_cordoned.tolist() == [name in closed for name in own]
    assert columns.gflops.tolist() == [[-1] * count, [measured.get(name, -1) for name in own]]
    assert not notes.write(columns)
    NO_NOTES.write(columns)
    assert not columns.is_cordoned.any()
    assert (columns.gflops == -1).all()
