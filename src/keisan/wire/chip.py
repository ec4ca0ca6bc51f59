"""Chips on the wire: what stands for all sources, what each says, and a chip beside another."""

from typing import Annotated

from pydantic import Field, StringConstraints

from keisan.domain.chip import Chip, find_figure
from keisan.domain.comparison import YARDSTICK
from keisan.domain.evidence import Grade
from keisan.domain.fact import FactName
from keisan.domain.figure import Disclosure, FigureName
from keisan.wire.base import WireInput, WireView
from keisan.wire.evidence import EvidenceView

CHIP_CHARACTERS_MAX = 64
CHIPS_CHARACTERS_MAX = 2048
ChipId = Annotated[str, StringConstraints(min_length=1, max_length=CHIP_CHARACTERS_MAX)]


class FigureView(WireView):
    """What stands for all that is said of a figure. `nominal` counts in sums; from `low` to `high` sources differ.

    Without a number, `disclosure` says whether a source calls it not disclosed, or none says anything: it is never 0.
    """

    disclosure: Disclosure
    nominal: int | None
    grade: Grade | None
    low: int | None
    high: int | None
    is_disputed: bool


class FigureValueView(WireView):
    """What one source says: `low` and `high` are the same for one number, and None for "not disclosed"."""

    low: int | None
    high: int | None
    note: str
    evidence: EvidenceView


class ChipFactView(WireView):
    """Values of a fact; none for an advisory means that there is known to be none."""

    values: tuple[str, ...]
    evidence: EvidenceView


class ChipAliasView(WireView):
    """A name under which a vendor's tool reports the chip."""

    name: str
    tool: str
    evidence: EvidenceView


class ChipView(WireView):
    """A chip in short. A fact that is not there is not known; every figure is there, known or not."""

    id: str
    name: str
    kind: str
    architecture: str
    facts: dict[FactName, tuple[str, ...]]
    figures: dict[FigureName, FigureView]


class ChipDetail(ChipView):
    """A chip with all sources: the evidence of its entry and facts, what each source says of a figure, and its names."""

    evidence: EvidenceView
    origins: dict[FactName, ChipFactView]
    sources: dict[FigureName, tuple[FigureValueView, ...]]
    aliases: tuple[ChipAliasView, ...]


class ComparisonQuery(WireInput):
    """Which chips beside which: ids with commas between them, all that have figures unless they are given."""

    other_id: ChipId = YARDSTICK
    chip_ids: Annotated[str, Field(max_length=CHIPS_CHARACTERS_MAX)] = ""


class RatioView(WireView):
    """In millionths of the other chip's nominal figure."""

    nominal_ppm: int
    low_ppm: int
    high_ppm: int


class ComparedFigureView(WireView):
    """A figure and its ratio to the other chip's, the same for each watt; None where one of the two has no number."""

    name: FigureName
    figure: FigureView
    ratio: RatioView | None
    ratio_per_watt: RatioView | None


class ComparedChipView(WireView):
    """A chip beside the other."""

    id: str
    name: str
    figures: tuple[ComparedFigureView, ...]


class ComparisonView(WireView):
    """Chips beside another, whose nominal figures are the yardstick."""

    other_id: str
    chips: tuple[ComparedChipView, ...]


def build_chip_view(chip: Chip) -> ChipView:
    """Return a chip in short."""
    return ChipView(
        id=chip.id,
        name=chip.name,
        kind=chip.kind,
        architecture=chip.architecture,
        facts={name: fact.values for name, fact in chip.facts.items()},
        figures={name: FigureView.model_validate(find_figure(chip, name)) for name in FigureName},
    )


def build_chip_detail(chip: Chip) -> ChipDetail:
    """Return a chip with all sources."""
    return ChipDetail(
        **dict(build_chip_view(chip)),
        evidence=EvidenceView.model_validate(chip.evidence),
        origins={name: ChipFactView.model_validate(fact) for name, fact in chip.facts.items()},
        sources={
            name: tuple(FigureValueView.model_validate(value) for value in values)
            for name, values in chip.figures.items()
        },
        aliases=tuple(ChipAliasView.model_validate(alias) for alias in chip.aliases),
    )
