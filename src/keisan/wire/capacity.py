"""Capacity on the wire: the five kinds side by side, each figure null where nobody told it."""

from datetime import datetime

from keisan.domain.capacity import CapacityFigure, CapacityKey, CapacityKind, CapacitySum
from keisan.domain.figure import Precision
from keisan.wire.base import WireInput, WireView


class CapacityQuery(WireInput):
    """What capacity is summed by."""

    by: CapacityKey = CapacityKey.REGION


class TotalView(WireView):
    """A sum, null where nobody told it; `untold_rows` did not tell it, so the truth is `value` or more."""

    value: int | None
    untold_rows: int


class CapacitySumView(WireView):
    """Capacity of one kind; of `gflops` only those precisions that somebody told."""

    row_count: int
    figures: dict[CapacityFigure, TotalView]
    gflops: dict[Precision, TotalView]


class CapacityLine(WireView):
    """What is known of one value of the key, null where that is not known; a kind without anything is left out."""

    value: str | None
    kinds: dict[CapacityKind, CapacitySumView]


class CapacityKindView(WireView):
    """Whether a kind is known at all, and of when what is shown is."""

    is_known: bool
    read_at: datetime | None


class CapacityShare(WireView):
    """Which share of all compute is connected, in millionths, null where that cannot be known."""

    device_count_ppm: int | None
    gflops_ppm: dict[Precision, int]


class CapacityPlatform(WireView):
    """A platform below that told a part: when it was heard last, and how many of its devices are counted as another's."""

    platform_id: str
    name: str
    region: str
    is_heard: bool
    heard_at: datetime | None
    site_count: int
    devices_elsewhere: int


class CapacityView(WireView):
    """Capacity by a key, and all together in `total`. A kind that is not known is in no line: it is not nought.

    `platforms` are those below this one; each site and device of theirs is counted once.
    """

    by: CapacityKey
    kinds: dict[CapacityKind, CapacityKindView]
    lines: tuple[CapacityLine, ...]
    total: CapacityLine
    share: CapacityShare
    platforms: tuple[CapacityPlatform, ...] = ()


def build_sum_view(found: CapacitySum) -> CapacitySumView:
    """Return a sum as the API shows it."""
    return CapacitySumView(
        row_count=found.row_count,
        figures={name: TotalView.model_validate(total) for name, total in found.figures.items()},
        gflops={name: TotalView.model_validate(total) for name, total in found.gflops.items()},
    )
