"""Chips as they are asked for: by id, and those with figures beside another."""

import pytest

from keisan.catalog.base import load_catalog
from keisan.control.chip import compare_with, get_chip
from keisan.domain.errors import NotFound

CATALOG = load_catalog()


def test_all_chips_with_figures_are_compared_unless_some_are_named() -> None:
    everything = [chip.id for chip, _ in compare_with(CATALOG, "nvidia-h20", ())]
    assert everything == sorted(chip_id for chip_id, chip in CATALOG.chips.items() if chip.figures)
    assert "cpu-x86-64" not in everything
    named = ["metax-c600", "cpu-x86-64"]
    assert [chip.id for chip, _ in compare_with(CATALOG, "nvidia-h200", named)] == named


@pytest.mark.parametrize(("other", "named"), [("x", ()), ("nvidia-h20", ("x",))])
def test_what_is_not_there_is_named(other: str, named: tuple[str, ...]) -> None:
    with pytest.raises(NotFound, match="no chip 'x'"):
        compare_with(CATALOG, other, named)
    with pytest.raises(NotFound):
        get_chip(CATALOG, "x")
