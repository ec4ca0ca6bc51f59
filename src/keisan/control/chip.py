"""Chips of the catalogue as they are asked for: one by its id, or several beside another."""

from collections.abc import Sequence

from keisan.domain.catalog import Catalog
from keisan.domain.chip import Chip
from keisan.domain.comparison import ComparedFigure, compare_chips
from keisan.domain.errors import NotFound


def get_chip(catalog: Catalog, chip_id: str) -> Chip:
    """Return a chip; raises NotFound."""
    if chip_id not in catalog.chips:
        raise NotFound(f"the catalogue has no chip '{chip_id}'")
    return catalog.chips[chip_id]


def compare_with(
    catalog: Catalog, other_id: str, chip_ids: Sequence[str]
) -> list[tuple[Chip, tuple[ComparedFigure, ...]]]:
    """Return chips, by default all that have figures, each beside another; raises NotFound for one that is not there."""
    other = get_chip(catalog, other_id)
    chips = [get_chip(catalog, chip_id) for chip_id in chip_ids]
    chips = chips or [chip for _, chip in sorted(catalog.chips.items()) if chip.figures]
    return [(chip, compare_chips(chip, other)) for chip in chips]
