"""`keisan chips`: what is known of each chip and by whose word, and every chip beside the H20."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from keisan.cli.command import add_command
from keisan.cli.session import Session
from keisan.domain.comparison import WHOLE_PPM, YARDSTICK
from keisan.domain.price import divide_half_even
from keisan.sdk import (
    AdvisoryView,
    ChipDetail,
    ChipView,
    ComparedChipView,
    ComparisonQuery,
    CompatibilityView,
    Disclosure,
    EvidenceView,
    FactName,
    FigureName,
    FigureView,
    MakerView,
    RatioView,
)
from keisan.wire.base import WireView


@dataclass(frozen=True, slots=True)
class Heading:
    """A figure as people read it: a word, a unit, and how many of the figure's own units make one."""

    word: str
    unit: str
    divisor: int = 1

    def __str__(self) -> str:
        return f"{self.word} {self.unit}".rstrip()


HEADINGS: dict[FigureName, Heading] = {
    FigureName.MEMORY_BYTES: Heading("memory", "GB", 10**9),
    FigureName.MEMORY_GB_PER_S: Heading("bandwidth", "GB/s"),
    FigureName.FP64_GFLOPS: Heading("FP64", "TFLOPS", 1000),
    FigureName.FP32_GFLOPS: Heading("FP32", "TFLOPS", 1000),
    FigureName.TF32_GFLOPS: Heading("TF32", "TFLOPS", 1000),
    FigureName.FP16_GFLOPS: Heading("FP16", "TFLOPS", 1000),
    FigureName.FP8_GFLOPS: Heading("FP8", "TFLOPS", 1000),
    FigureName.FP4_GFLOPS: Heading("FP4", "TFLOPS", 1000),
    FigureName.INT8_GOPS: Heading("INT8", "TOPS", 1000),
    FigureName.LINK_GB_PER_S: Heading("links", "GB/s"),
    FigureName.POWER_W: Heading("power", "W"),
    FigureName.SCALE_UP_DEVICES: Heading("scale-up", "devices"),
    FigureName.PROCESS_NM: Heading("process", "nm"),
}
LISTED = (
    FigureName.MEMORY_BYTES,
    FigureName.MEMORY_GB_PER_S,
    FigureName.FP16_GFLOPS,
    FigureName.FP8_GFLOPS,
    FigureName.INT8_GOPS,
    FigureName.LINK_GB_PER_S,
    FigureName.POWER_W,
)
PER_WATT = (FigureName.MEMORY_GB_PER_S, FigureName.FP16_GFLOPS, FigureName.INT8_GOPS)
LEGEND = "grades: M measured here, A vendor sheet, B paper or third-party test, C press, D hearsay; (a-b) where sources differ"
ChipArgument = Annotated[str, typer.Argument(metavar="CHIP", help="Id of a chip, from `keisan chips list`.")]
ChipsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[CHIP]...", help="Ids of chips; all that have figures unless given.")
]
OtherOption = Annotated[str, typer.Option("--with", metavar="CHIP", help="The chip to compare with.")]


async def list_chips(session: Session) -> None:
    """List the chips of the catalogue with their main figures."""
    chips = [chip async for chip in session.keisan.chips.list()]
    columns = ("id", *(str(HEADINGS[name]) for name in LISTED))
    rows = [(chip.id, *(describe_figure(name, chip.figures[name]) for name in LISTED)) for chip in chips]
    session.output.show_views(chips, columns, rows)
    if not session.output.is_json:
        session.output.show_text(LEGEND)


async def compare_chips(session: Session, chips: ChipsArgument = None, other: OtherOption = YARDSTICK) -> None:
    """Show chips as multiples of another: figures, and what a watt buys."""
    query = ComparisonQuery(other_id=other, chip_ids=",".join(chips or []))
    found = await session.keisan.chips.compare(query)
    if session.output.is_json:
        session.output.show_json(found.model_dump(mode="json"))
        return
    names = (HEADINGS[name].word for name in LISTED)
    per_watt = (f"{HEADINGS[name].word} / W" for name in PER_WATT)
    session.output.show_table(("id", *names, *per_watt), [_build_ratio_row(chip) for chip in found.chips])
    session.output.show_text(f"multiples of {found.other_id}, by its nominal figures: `keisan chips show {other}`")
    session.output.show_text(LEGEND)


async def show_chip(session: Session, chip: ChipArgument) -> None:
    """Show all that is known of a chip: each figure with every source, origin, names, advisories, engines."""
    found = await session.keisan.chips.get(chip)
    advisories = [line async for line in session.keisan.advisories.list() if chip in line.chips]
    makers = [line async for line in session.keisan.makers.list() if line.id in _list_makers(found)]
    records = [line async for line in session.keisan.compatibility.list(chip)]
    if session.output.is_json:
        parts: dict[str, Sequence[WireView]] = {"advisories": advisories, "makers": makers, "compatibility": records}
        told = {name: [line.model_dump(mode="json") for line in lines] for name, lines in parts.items()}
        session.output.show_json(found.model_dump(mode="json") | told)
        return
    sections = (
        _describe_entry(found),
        _describe_figures(found),
        _describe_origins(found),
        _describe_names(found),
        _describe_advisories(advisories),
        _describe_makers(makers),
        _describe_compatibility(records),
    )
    lines = [line for section in sections for line in section]
    session.output.show_text("\n".join([*lines, "", LEGEND]))


def describe_figure(name: FigureName, figure: FigureView) -> str:
    """Return what stands for all sources with its grade, and the range where they differ; in words what has no number."""
    if figure.disclosure is Disclosure.UNKNOWN:
        return "unknown"
    if figure.nominal is None or figure.low is None or figure.high is None:
        return "not disclosed"
    told = f"{format_number(name, figure.nominal)} {figure.grade}"
    if not figure.is_disputed:
        return told
    return f"{told} ({format_number(name, figure.low)}-{format_number(name, figure.high)})"


def format_number(name: FigureName, number: int) -> str:
    """Return a figure in the unit of its heading, exact: 163400 GFLOPS -> '163.4'."""
    whole, rest = divmod(number, HEADINGS[name].divisor)
    digits = len(str(HEADINGS[name].divisor)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if rest else str(whole)


def format_ratio(ratio_ppm: int) -> str:
    """Return a ratio with two decimals: 1480000 -> '1.48'; what is too small for that is told to be, and is not 0."""
    hundredths = divide_half_even(ratio_ppm * 100, WHOLE_PPM)
    return f"{hundredths // 100}.{hundredths % 100:02d}" if hundredths else "<0.01"


def _describe_ratio(figure: FigureView, ratio: RatioView | None) -> str:
    if ratio is None:
        has_number = figure.disclosure is Disclosure.KNOWN
        return "no yardstick" if has_number else figure.disclosure.replace("_", " ")
    told = f"{format_ratio(ratio.nominal_ppm)} {figure.grade}"
    if ratio.low_ppm == ratio.high_ppm:
        return told
    return f"{told} ({format_ratio(ratio.low_ppm)}-{format_ratio(ratio.high_ppm)})"


def _build_ratio_row(chip: ComparedChipView) -> Sequence[str]:
    lines = {line.name: line for line in chip.figures}
    ratios = (_describe_ratio(lines[name].figure, lines[name].ratio) for name in LISTED)
    per_watt = (lines[name].ratio_per_watt for name in PER_WATT)
    return (chip.id, *ratios, *(format_ratio(ratio.nominal_ppm) if ratio else "unknown" for ratio in per_watt))


def _describe_evidence(evidence: EvidenceView) -> str:
    return f"[{evidence.grade}, {evidence.date}] {evidence.source}"


def _describe_entry(chip: ChipDetail) -> Iterator[str]:
    yield f"{chip.name} ({chip.id}), {chip.kind}, {chip.architecture}"
    yield f"    {_describe_evidence(chip.evidence)}"


def _describe_figures(chip: ChipDetail) -> Iterator[str]:
    yield ""
    for name in FigureName:
        yield f"{HEADINGS[name]!s:<18}{describe_figure(name, chip.figures[name])}"
        for value in chip.sources.get(name, ()):
            note = f" ({value.note})" if value.note else ""
            yield f"    {_describe_value(name, value.low, value.high)}{note}  {_describe_evidence(value.evidence)}"


def _describe_value(name: FigureName, low: int | None, high: int | None) -> str:
    if low is None or high is None:
        return "not disclosed"
    return format_number(name, low) if low == high else f"{format_number(name, low)}-{format_number(name, high)}"


def _describe_origins(chip: ChipDetail) -> Iterator[str]:
    yield ""
    for name, fact in chip.origins.items():
        yield f"{name:<18}{', '.join(fact.values) or 'none'}"
        yield f"    {_describe_evidence(fact.evidence)}"


def _describe_names(chip: ChipDetail) -> Iterator[str]:
    for alias in chip.aliases:
        yield f"{alias.tool:<18}{alias.name}"
        yield f"    {_describe_evidence(alias.evidence)}"


def _describe_advisories(advisories: Sequence[AdvisoryView]) -> Iterator[str]:
    for advisory in advisories:
        yield ""
        yield f"{advisory.severity} {advisory.id}, {advisory.issuer}, {advisory.issued_on}: {advisory.title}"
        yield f"    {advisory.summary}"
        yield f"    {_describe_evidence(advisory.evidence)}"


def _describe_makers(makers: Sequence[MakerView]) -> Iterator[str]:
    for maker in makers:
        local = f" {maker.local_name}" if maker.local_name else ""
        yield ""
        yield f"{maker.name}{local}, {maker.country}: {', '.join(maker.parts)}"
        for fact in maker.facts:
            yield f"    {fact.happened_on}  {fact.text}  {_describe_evidence(fact.evidence)}"


def _describe_compatibility(records: Sequence[CompatibilityView]) -> Iterator[str]:
    if records:
        yield ""
    for record in records:
        known = (record.engine_version, record.driver and f"driver {record.driver}", record.sdk, record.quantisation)
        terms = ", ".join(term for term in (*known, record.note) if term)
        yield f"{record.outcome:<7}{record.engine} with {record.model}{f' ({terms})' if terms else ''}"
        yield f"    {_describe_evidence(record.evidence)}"


def _list_makers(chip: ChipView) -> set[str]:
    named = (chip.facts.get(name, ()) for name in (FactName.VENDOR, FactName.FABRICATED_BY))
    return {value.lower() for values in named for value in values}


def add_commands(application: typer.Typer) -> None:
    """Add chips list, show and compare."""
    group = typer.Typer(help="Chips: what is known of each, by whose word, and beside the H20.", no_args_is_help=True)
    add_command(group, "list", list_chips)
    add_command(group, "show", show_chip)
    add_command(group, "compare", compare_chips)
    application.add_typer(group, name="chips")
