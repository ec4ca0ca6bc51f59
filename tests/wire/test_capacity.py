"""Sums of capacity as the API shows them: null where nobody told a figure."""

from keisan.domain.capacity import CapacityFigure, CapacityRow, sum_capacity
from keisan.domain.figure import Precision
from keisan.wire.capacity import TotalView, build_sum_view


def test_figure_that_nobody_told_is_null() -> None:
    [found] = sum_capacity(
        [CapacityRow("CN-SX", device_count=2, gflops={Precision.FP8: 3}), CapacityRow("CN-SX")], None
    )
    view = build_sum_view(found)
    assert view.figures[CapacityFigure.DEVICE_COUNT] == TotalView(value=2, untold_rows=1)
    assert view.figures[CapacityFigure.MEMORY_BYTES] == TotalView(value=None, untold_rows=2)
    assert view.gflops == {Precision.FP8: TotalView(value=3, untold_rows=1)}
