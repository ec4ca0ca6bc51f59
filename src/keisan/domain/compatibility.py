"""Compatibility: whether an engine serves a model on a chip with given software, as somebody saw or states it."""

from dataclasses import dataclass
from enum import StrEnum

from keisan.domain.evidence import Evidence


class CompatibilityOutcome(StrEnum):
    """Whether it works; what nobody tried has no record and is unknown."""

    WORKS = "works"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Compatibility:
    """`model` is a family as its maker names it. What a source leaves open (versions, quantisation) is empty."""

    chip: str
    engine: str
    model: str
    outcome: CompatibilityOutcome
    evidence: Evidence
    engine_version: str = ""
    driver: str = ""
    sdk: str = ""
    quantisation: str = ""
    note: str = ""
