"""A chip beside another: each of its figures as a ratio to the other's, and the same for each watt.

The yardstick is one number, the other's nominal figure; the chip's own range stays a range. Ratios are millionths, rounded half
to even; what one of the two does not tell has no ratio.
"""

from dataclasses import dataclass

from keisan.domain.chip import Chip, find_figure
from keisan.domain.figure import Figure, FigureName
from keisan.domain.price import divide_half_even

# What chips are compared with unless said otherwise: the chip that others are offered in place of.
YARDSTICK = "nvidia-h20"
WHOLE_PPM = 1_000_000
# Of what a chip gives, what a watt buys is told too.
COMPARED = (
    FigureName.MEMORY_BYTES,
    FigureName.MEMORY_GB_PER_S,
    FigureName.FP16_GFLOPS,
    FigureName.FP8_GFLOPS,
    FigureName.INT8_GOPS,
    FigureName.LINK_GB_PER_S,
    FigureName.POWER_W,
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """In millionths of another chip's: `nominal_ppm`, and `low_ppm` to `high_ppm` where sources differ."""

    nominal_ppm: int
    low_ppm: int
    high_ppm: int


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """A figure of a chip with its ratios; None where one of the two chips has no number."""

    name: FigureName
    figure: Figure
    ratio: Ratio | None
    ratio_per_watt: Ratio | None


def compare_chips(chip: Chip, other: Chip) -> tuple[ComparedFigure, ...]:
    """Return the figures that chips are compared by, in order."""
    power, other_power = find_figure(chip, FigureName.POWER_W), find_figure(other, FigureName.POWER_W)
    compared = []
    for name in COMPARED:
        own, theirs = find_figure(chip, name), find_figure(other, name)
        per_watt = None if name is FigureName.POWER_W else compute_ratio_per_watt((own, power), (theirs, other_power))
        compared.append(ComparedFigure(name, own, compute_ratio(own, theirs), per_watt))
    return tuple(compared)


def compute_ratio(own: Figure, theirs: Figure) -> Ratio | None:
    """Return a figure as a ratio to another's nominal one; None where one of the two has no number."""
    if own.ends is None or theirs.nominal is None:
        return None
    return Ratio(*(divide_half_even(end * WHOLE_PPM, theirs.nominal) for end in own.ends))


def compute_ratio_per_watt(own: tuple[Figure, Figure], theirs: tuple[Figure, Figure]) -> Ratio | None:
    """Return a ratio of figures for each watt, from (figure, power) of both; the lowest is of the least for the most watts."""
    (figure, power), (their_figure, their_power) = own, theirs
    if figure.ends is None or power.ends is None or their_figure.nominal is None or their_power.nominal is None:
        return None
    watts = (power.ends[0], power.ends[2], power.ends[1])
    return Ratio(
        *(
            divide_half_even(end * their_power.nominal * WHOLE_PPM, their_figure.nominal * end_w)
            for end, end_w in zip(figure.ends, watts, strict=True)
        )
    )
