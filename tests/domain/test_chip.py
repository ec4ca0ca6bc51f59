"""What a policy can ask of a chip, what it counts in sums, and the names that drivers have for it."""

from dataclasses import replace
from datetime import date

import pytest

from keisan.domain.chip import (
    Chip,
    ChipAlias,
    find_chip,
    find_chip_fact,
    find_figure,
    get_nominal_gflops,
    get_nominal_memory_bytes,
    list_facts,
    list_names,
    list_nominal_gflops,
)
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import Fact, FactName
from keisan.domain.figure import Disclosure, FigureName, FigureValue, Precision
from tests.domain.samples import build_chip

SHEET = Evidence("a sheet", Grade.VENDOR, date(2026, 11, 27))


def name_chip(chip_id: str, *names: str) -> Chip:
    """Return a chip whose driver has these names for it."""
    return replace(build_chip(chip_id), aliases=tuple(ChipAlias(name, "nvidia-smi", SHEET) for name in names))


def test_facts_are_the_catalogue_s_and_the_chip_itself() -> None:
    assert list_facts(build_chip("nvidia-h20", vendor=("NVIDIA",), advisory=())) == {
        FactName.CHIP: Fact(("nvidia-h20",), Grade.MEASURED),
        FactName.VENDOR: Fact(("NVIDIA",), Grade.VENDOR),
        FactName.ADVISORY: Fact((), Grade.VENDOR),
    }


def test_sums_count_what_is_nominal_and_never_zero() -> None:
    figures = {
        FigureName.FP16_GFLOPS: (FigureValue(148_000, 148_000, SHEET),),
        FigureName.FP8_GFLOPS: (FigureValue(None, None, SHEET),),
        FigureName.MEMORY_BYTES: (FigureValue(96 * 10**9, 96 * 10**9, SHEET),),
    }
    chip = replace(build_chip("nvidia-h20"), figures=figures)
    assert get_nominal_gflops(chip, Precision.FP16) == 148_000
    assert get_nominal_gflops(chip, Precision.FP8) is None
    assert get_nominal_gflops(chip, Precision.FP64) is None
    assert get_nominal_memory_bytes(chip) == 96 * 10**9
    assert get_nominal_memory_bytes(build_chip("another")) is None
    chips = (chip, build_chip("another"))
    assert list_nominal_gflops(chips, Precision.FP16) == {chip.id: 148_000}
    assert list_nominal_gflops(chips, Precision.FP8) == {}
    assert find_figure(chip, FigureName.FP8_GFLOPS).disclosure is Disclosure.NOT_DISCLOSED
    assert find_figure(chip, FigureName.POWER_W).disclosure is Disclosure.UNKNOWN


def test_a_driver_s_name_leads_to_the_chip() -> None:
    names = list_names([name_chip("nvidia-h20", "NVIDIA H20"), name_chip("nvidia-h20-3e", "NVIDIA H20-3e")])
    assert find_chip(names, "nvidia  H20 ") == "nvidia-h20"
    assert find_chip(names, "NVIDIA H20-3e") == "nvidia-h20-3e"
    assert find_chip(names, "nvidia-h20") == "nvidia-h20"
    # A part of a name is another chip's, or nobody's.
    assert find_chip(names, "NVIDIA H200") is None
    assert find_chip(names, "H20") is None
    assert find_chip(names, "") is None


def test_no_two_chips_have_one_name() -> None:
    with pytest.raises(InvalidInput, match="b and a have the same name 'x'"):
        list_names([name_chip("a", "X"), name_chip("b", " x")])
    assert list_names([name_chip("a", "A", "a ")]) == {"a": "a"}


def test_fact_with_several_values_is_none_of_them() -> None:
    chips = {"nvidia-h20": build_chip("nvidia-h20", vendor=("NVIDIA",), software_stack=("CUDA", "other"))}
    assert find_chip_fact(chips, "nvidia-h20", FactName.VENDOR) == "NVIDIA"
    assert find_chip_fact(chips, "nvidia-h20", FactName.SOFTWARE_STACK) is None
    assert find_chip_fact(chips, "nvidia-h20", FactName.PACKAGED_IN) is None
    assert find_chip_fact(chips, "another", FactName.VENDOR) is None
    assert find_chip_fact(chips, None, FactName.VENDOR) is None
