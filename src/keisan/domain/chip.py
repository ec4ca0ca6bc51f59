"""A chip: the type of a device, as the catalogue knows it. Each fact has its own evidence; what is not known is absent."""

from collections.abc import Mapping
from dataclasses import dataclass

from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import Fact, FactName


@dataclass(frozen=True, slots=True)
class ChipFact:
    """Values of one fact of a chip; none for an advisory means that there is known to be none."""

    values: tuple[str, ...]
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Chip:
    """`id` is what devices report as their chip; `evidence` is that of the entry itself."""

    id: str
    name: str
    kind: str
    architecture: str
    evidence: Evidence
    facts: Mapping[FactName, ChipFact]


def list_facts(chip: Chip) -> dict[FactName, Fact]:
    """Return what a policy can ask of a chip: its id, which is the platform's own record, and what the catalogue knows."""
    own = {FactName.CHIP: Fact((chip.id,), Grade.MEASURED)}
    return own | {name: Fact(fact.values, fact.evidence.grade) for name, fact in chip.facts.items()}
