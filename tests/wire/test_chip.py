"""Chips on the wire say what is not known in words, and name every source."""

from keisan.catalog.base import load_catalog
from keisan.domain.figure import Disclosure, FigureName
from keisan.wire.chip import ChipDetail, build_chip_detail, build_chip_view


def test_every_chip_crosses_whole() -> None:
    for chip in load_catalog().chips.values():
        detail = build_chip_detail(chip)
        assert ChipDetail.model_validate_json(detail.model_dump_json()) == detail
        assert set(detail.figures) == set(FigureName)
        assert {name: len(values) for name, values in detail.sources.items()} == {
            name: len(values) for name, values in chip.figures.items()
        }
        known = {name for name, figure in detail.figures.items() if figure.disclosure is not Disclosure.UNKNOWN}
        assert known == set(chip.figures)
        assert build_chip_view(chip).facts == {name: fact.values for name, fact in detail.origins.items()}
