"""Series of sites' frames: what became of them since the platform's process began."""

from collections.abc import Iterator, Sequence

from keisan.domain.frame import FrameCounts, FrameFault, FrameOutcome
from keisan.telemetry.series import Column, Family, SeriesKind, Value

FRAMES = Family("keisan.frames", "{frame}", "Frames that were taken, by outcome.", SeriesKind.COUNTER)
REFUSED = Family("keisan.frames.refused", "{frame}", "Frames that were refused, by fault.", SeriesKind.COUNTER)
VALUES_REFUSED = Family(
    "keisan.values.refused", "{value}", "Values out of their bounds, taken as not known.", SeriesKind.COUNTER
)
CLOCK_OFFSET = Family("keisan.clock_offset", "s", "How far the site's clock was behind at its last live frame.")
ROLLED_UP = Family("keisan.rolled_up.timestamp", "s", "When the sums were made, by the platform's clock, since 1970.")
FRAME_FAMILIES = (FRAMES, REFUSED, VALUES_REFUSED, CLOCK_OFFSET)


def list_frame_columns(counts: Sequence[FrameCounts], first: int = 0) -> Iterator[Column]:
    """Yield the series of sites' frames, whose owners are the places from `first` on."""
    owners = range(first, first + len(counts))
    for outcome in FrameOutcome:
        yield Column(FRAMES, owners, [each.outcomes[outcome] for each in counts], {"outcome": outcome})
    for fault in FrameFault:
        yield Column(REFUSED, owners, [each.faults[fault] for each in counts], {"fault": fault})
    yield Column(VALUES_REFUSED, owners, [each.values_refused for each in counts], {})
    # Before the first live frame nobody knows how far it is.
    heard = [
        (place, _to_s(each)) for place, each in zip(owners, counts, strict=True) if each.outcomes[FrameOutcome.LIVE]
    ]
    yield Column(CLOCK_OFFSET, [place for place, _ in heard], [value for _, value in heard], {})


def _to_s(counts: FrameCounts) -> Value:
    return counts.clock_offset_ms / 1000
