"""Chips as TOML: no fact, figure or name without evidence, and a fault names its field."""

from datetime import date
from importlib.resources import files

import pytest

from keisan.catalog.chip import parse_chip
from keisan.domain.chip import ChipAlias
from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import FactName
from keisan.domain.figure import FigureName, FigureValue

CPU = files("keisan.catalog").joinpath("data/chips/cpu-x86-64.toml").read_text()
H20 = files("keisan.catalog").joinpath("data/chips/nvidia-h20.toml").read_text()
SOURCE = 'source = "a sheet", grade = "A", date = 2026-11-27'
EVIDENCE = Evidence("a sheet", Grade.VENDOR, date(2026, 11, 27))


def add_figure(line: str) -> str:
    return f"{CPU}\n[figures]\npower_w = [{line}]\n"


def test_facts_of_a_chip_have_evidence_of_their_own() -> None:
    h20 = parse_chip(H20, "c.toml")
    assert h20.facts[FactName.ADVISORY].values == ("CN-CAC-2025-07-31",)
    assert h20.facts[FactName.ADVISORY].evidence.grade is Grade.PRESS
    assert FactName.PACKAGED_IN not in h20.facts
    cpu = parse_chip(CPU, "c.toml")
    assert (cpu.facts, cpu.figures, cpu.aliases) == ({}, {}, ())
    assert cpu.evidence == Evidence("the host's kernel", Grade.MEASURED, date(2026, 11, 23))


def test_sources_of_a_figure_stand_side_by_side() -> None:
    lines = (
        f"{{ number = 400, {SOURCE} }}",
        f'{{ low = 500, high = 550, {SOURCE}, note = "a variant" }}',
        f'{{ number = "not disclosed", {SOURCE} }}',
    )
    found = parse_chip(add_figure(", ".join(lines)), "c.toml")
    assert found.figures == {
        FigureName.POWER_W: (
            FigureValue(400, 400, EVIDENCE),
            FigureValue(500, 550, EVIDENCE, "a variant"),
            FigureValue(None, None, EVIDENCE),
        )
    }


def test_names_that_tools_print_have_evidence_too() -> None:
    text = CPU.replace("\n\n", f'\naliases = [{{ name = "X 1", tool = "x-smi", {SOURCE} }}]\n\n', 1)
    assert parse_chip(text, "c.toml").aliases == (ChipAlias("X 1", "x-smi", EVIDENCE),)
    with pytest.raises(InvalidInput) as refusal:
        parse_chip(text.replace(', grade = "A"', ""), "c.toml")
    assert refusal.value.field == "aliases[0].grade"


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{ number = 400 }", "figures.power_w[0].source"),
        ('{ number = 400, grade = "A", date = 2026-11-27 }', "figures.power_w[0].source"),
        ('{ number = 400, source = "x", date = 2026-11-27 }', "figures.power_w[0].grade"),
        ('{ number = 400, source = "x", grade = "A" }', "figures.power_w[0].date"),
        ('{ number = "not disclosed" }', "figures.power_w[0].source"),
        (f"{{ number = 0, {SOURCE} }}", "figures.power_w[0].number"),
        (f"{{ number = -1, {SOURCE} }}", "figures.power_w[0].number"),
        (f"{{ number = 1.5, {SOURCE} }}", "figures.power_w[0].number"),
        (f"{{ number = true, {SOURCE} }}", "figures.power_w[0].number"),
        (f'{{ number = "400", {SOURCE} }}', "figures.power_w[0].number"),
        (f"{{ {SOURCE} }}", "figures.power_w[0].low"),
        (f"{{ low = 1, {SOURCE} }}", "figures.power_w[0].high"),
        (f"{{ low = 2, high = 1, {SOURCE} }}", "figures.power_w[0]"),
        (f"{{ number = 1, high = 2, {SOURCE} }}", "figures.power_w[0]"),
        (f'{{ number = "not disclosed", low = 1, {SOURCE} }}', "figures.power_w[0].number"),
        (f'{{ number = 1, {SOURCE}, colour = "x" }}', "figures.power_w[0].colour"),
        ("400", "figures.power_w[0]"),
        ("", "figures.power_w"),
    ],
)
def test_figure_without_evidence_or_number_is_refused(line: str, field: str) -> None:
    with pytest.raises(InvalidInput, match=r"^c\.toml: ") as refusal:
        parse_chip(add_figure(line), "c.toml")
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("[facts.vendor]", "[facts.colour]", "facts.colour"),
        ("[facts.vendor]", "[facts.region]", "facts.region"),
        ('values = ["NVIDIA"]', "values = []", "facts.vendor.values"),
        ('values = ["NVIDIA"]', 'values = ["NVIDIA", "a b"]', "facts.vendor.values[1]"),
        ('values = ["NVIDIA"]', 'values = ["NVIDIA", ""]', "facts.vendor.values[1]"),
        ('values = ["NVIDIA"]', 'values = "NVIDIA"', "facts.vendor.values"),
        ('values = ["NVIDIA"]', "", "facts.vendor.values"),
        ('detector"\ngrade = "B"', 'detector"', "facts.software_stack.grade"),
        ('detector"\ngrade = "B"', 'detector"\ngrade = "B"\nnote = "x"', "facts.software_stack.note"),
        ('kind = "gpu"', 'kind = "gpu"\ncolour = 1', "colour"),
        ("memory_gb_per_s = [", "memory_speed = [", "figures.memory_speed"),
        ('grade = "C"\ndate = 2026-11-25\n\n[facts.vendor]', "[facts.vendor]", "evidence.grade"),
    ],
)
def test_fault_in_a_chip_names_its_field(old: str, new: str, field: str) -> None:
    assert old in H20
    with pytest.raises(InvalidInput) as refusal:
        parse_chip(H20.replace(old, new, 1), "c.toml")
    assert refusal.value.field == field


@pytest.mark.parametrize("part", ["facts", "figures"])
def test_part_that_is_no_table_is_refused(part: str) -> None:
    with pytest.raises(InvalidInput, match=f"expected a table in {part}"):
        parse_chip(f"{part} = 1\n" + CPU, "c.toml")
