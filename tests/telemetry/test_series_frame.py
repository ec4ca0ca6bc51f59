"""Series of frames: every outcome and fault by its name, the clock only once it was compared."""

from keisan.domain.frame import FrameCounts, FrameFault, FrameOutcome
from keisan.telemetry.series_frame import CLOCK_OFFSET, list_frame_columns


def test_each_outcome_and_fault_has_its_series() -> None:
    outcomes = {name: number for number, name in enumerate(FrameOutcome, start=1)}
    faults = {name: number for number, name in enumerate(FrameFault, start=10)}
    heard = FrameCounts(outcomes, faults, 7, 1500)
    silent = FrameCounts(dict.fromkeys(FrameOutcome, 0), dict.fromkeys(FrameFault, 0), 0, 0)
    columns = list(list_frame_columns([silent, heard], 5))
    told = {
        "".join(column.extra.values()): dict(zip(column.owners, column.values, strict=True)) for column in columns[:-2]
    }
    assert told == {str(name): {5: 0, 6: number} for name, number in (outcomes | faults).items()}
    assert list(columns[-2].values) == [0, 7]
    assert columns[-1].family is CLOCK_OFFSET
    assert (list(columns[-1].owners), list(columns[-1].values)) == ([6], [1.5])
