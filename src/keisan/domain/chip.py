"""A chip: the type of a device, as the catalogue knows it. Each fact and figure has its own evidence; what is not known is absent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import Fact, FactName
from keisan.domain.figure import THROUGHPUTS, Figure, FigureName, FigureValue, Precision, settle_figure


@dataclass(frozen=True, slots=True)
class ChipFact:
    """Values of one fact of a chip; none for an advisory means that there is known to be none."""

    values: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ChipAlias:
    """A name under which `tool`, a vendor's driver or command, tells of devices of a chip."""

    name: str
    tool: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Chip:
    """`id` is what devices report as their chip; `evidence` is that of the entry itself.

    `figures` holds all that sources say of each, side by side; `settle_figure` says what stands for them.
    """

    id: str
    name: str
    kind: str
    architecture: str
    evidence: Evidence
    facts: Mapping[FactName, ChipFact]
    figures: Mapping[FigureName, tuple[FigureValue, ...]] = field(default_factory=dict)
    aliases: tuple[ChipAlias, ...] = ()


def list_facts(chip: Chip) -> dict[FactName, Fact]:
    """Return what a policy can ask of a chip: its id, which is the platform's own record, and what the catalogue knows."""
    own = {FactName.CHIP: Fact((chip.id,), Grade.MEASURED)}
    return own | {name: Fact(fact.values, fact.evidence.grade) for name, fact in chip.facts.items()}


def find_chip_fact(chips: Mapping[str, Chip], chip: str | None, name: FactName) -> str | None:
    """Return the value of a chip's fact where the catalogue knows exactly one."""
    known = chips.get(chip) if chip is not None else None
    fact = known.facts.get(name) if known is not None else None
    return fact.values[0] if fact is not None and len(fact.values) == 1 else None


def find_figure(chip: Chip, name: FigureName) -> Figure:
    """Return what stands for all that is said of one figure of a chip."""
    return settle_figure(chip.figures.get(name, ()))


def get_nominal_gflops(chip: Chip, precision: Precision) -> int | None:
    """Return what one device counts in sums, in 10^9 dense operations per second; None where there is no number, never 0."""
    return find_figure(chip, THROUGHPUTS[precision]).nominal


def list_nominal_gflops(chips: Iterable[Chip], precision: Precision) -> dict[str, int]:
    """Return what one device of each chip counts in sums, by the chip's id, without those of which there is no number."""
    found = {chip.id: get_nominal_gflops(chip, precision) for chip in chips}
    return {chip_id: gflops for chip_id, gflops in found.items() if gflops is not None}


def get_nominal_memory_bytes(chip: Chip) -> int | None:
    """Return the memory that one device counts in sums; None where there is no number, never 0."""
    return find_figure(chip, FigureName.MEMORY_BYTES).nominal


def list_names(chips: Iterable[Chip]) -> dict[str, str]:
    """Return the id of each chip by all its names, as `find_chip` reads them; raises InvalidInput for a name that two have."""
    found: dict[str, str] = {}
    for chip in chips:
        for name in {normalize_name(text) for text in (chip.id, *(alias.name for alias in chip.aliases))}:
            if name in found:
                raise InvalidInput(f"{chip.id} and {found[name]} have the same name '{name}'", "aliases")
            found[name] = chip.id
    return found


def find_chip(names: Mapping[str, str], reported: str) -> str | None:
    """Return the id of the chip that a driver means by a product name, from `list_names`; None for one that nobody knows."""
    return names.get(normalize_name(reported))


def normalize_name(name: str) -> str:
    """Return a name as it is compared: tools differ in case and in the blanks they pad with, and in nothing else."""
    return " ".join(name.casefold().split())
