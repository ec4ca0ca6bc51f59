"""`keisan chips`: tables with grades and ranges, every source of one chip, and never a 0 for what is not known."""

import pytest

from keisan.cli.chip import describe_figure, format_number, format_ratio
from keisan.domain.evidence import Grade
from keisan.domain.figure import Disclosure, FigureName
from keisan.sdk import FigureView
from tests.cli.conftest import CommandLine


def find_row(out: str, chip: str) -> list[str]:
    [row] = [line.split() for line in out.splitlines() if line.split()[:1] == [chip]]
    return row


def build_figure(nominal: int, low: int, high: int) -> FigureView:
    return FigureView(
        disclosure=Disclosure.KNOWN,
        nominal=nominal,
        grade=Grade.PRESS,
        low=low,
        high=high,
        is_disputed=low != high,
    )


def test_list_shows_grades_ranges_and_what_is_not_told(command_line: CommandLine) -> None:
    answer = command_line.run("chips", "list")
    assert answer.code == 0
    h20 = " ".join(find_row(answer.out, "nvidia-h20"))
    assert h20 == "nvidia-h20 96 C 4000 C 148 C 296 C 296 C 900 B 500 B (400-550)"
    assert find_row(answer.out, "cpu-x86-64") == ["cpu-x86-64", *["unknown"] * 7]
    assert "not disclosed" in " ".join(find_row(answer.out, "metax-c550"))
    assert " 0 " not in answer.out
    told = command_line.run("chips", "list", "--json").told
    assert {"nvidia-h200", "biren-br100", "amd-mi300x"} <= {line["id"] for line in told}


def test_compare_shows_every_chip_beside_the_h20(command_line: CommandLine) -> None:
    out = command_line.run("chips", "compare").out
    h20 = " ".join(find_row(out, "nvidia-h20"))
    assert h20 == "nvidia-h20 1.00 C 1.00 C 1.00 C 1.00 C 1.00 C 1.00 B 1.00 B (0.80-1.10) 1.00 1.00 1.00"
    c600 = " ".join(find_row(out, "metax-c600"))
    assert c600.startswith("metax-c600 1.50 C 0.90 C (0.45-0.90) 3.38 C")
    assert "unknown" in find_row(out, "metax-c550")
    assert "multiples of nvidia-h20" in out
    other = command_line.run("chips", "compare", "nvidia-h20", "--with", "nvidia-h200").out
    assert find_row(other, "nvidia-h20")[1:3] == ["0.68", "C"]
    told = command_line.run("chips", "compare", "metax-c600", "--json").told
    assert [line["id"] for line in told["chips"]] == ["metax-c600"]


def test_show_names_every_source(command_line: CommandLine) -> None:
    out = command_line.run("chips", "show", "nvidia-h20").out
    assert "power W           500 B (400-550)" in out
    for source in ("https://wallstreetcn.com/articles/3701747", "https://udn.com/news/story/7333/9013137"):
        assert source in out
    assert "warning CN-CAC-2025-07-31, Cyberspace Administration of China, 2025-07-31" in out
    assert "nvidia-smi        NVIDIA H20" in out
    p800 = command_line.run("chips", "show", "kunlunxin-p800").out
    assert "works  FastDeploy with ERNIE-4.5-300B-A47B (2.5.0, driver 5.0.21.26 or newer, WINT8" in p800
    told = command_line.run("chips", "show", "metax-c550", "--json").told
    assert {line["id"] for line in told["makers"]} == {"metax"}
    assert told["advisories"] == []


@pytest.mark.parametrize(
    "words", [("show", "nothere"), ("compare", "nothere"), ("compare", "--with", "nothere"), ("compare", "x" * 3000)]
)
def test_chip_that_is_not_there_is_a_fault(command_line: CommandLine, words: tuple[str, ...]) -> None:
    answer = command_line.run("chips", *words)
    assert answer.code != 0
    assert answer.out == ""


def test_numbers_are_exact_and_ratios_never_zero() -> None:
    assert format_number(FigureName.FP16_GFLOPS, 163_400) == "163.4"
    assert format_number(FigureName.FP64_GFLOPS, 5) == "0.005"
    assert format_number(FigureName.MEMORY_BYTES, 141 * 10**9) == "141"
    assert format_number(FigureName.POWER_W, 400) == "400"
    assert [format_ratio(ppm) for ppm in (1_480_000, 5_000, 4_999, 1, 15_000, 25_000)] == [
        "1.48",
        "<0.01",
        "<0.01",
        "<0.01",
        "0.02",
        "0.02",
    ]
    assert describe_figure(FigureName.POWER_W, build_figure(400, 400, 400)) == "400 C"
    assert describe_figure(FigureName.POWER_W, build_figure(400, 350, 550)) == "400 C (350-550)"
