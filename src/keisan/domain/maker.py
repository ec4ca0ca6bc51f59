"""A maker: a firm that has a part in chips, cabinets, models or services, with dated facts, each with its evidence."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from keisan.domain.evidence import Evidence


class MakerPart(StrEnum):
    """What a maker does."""

    DESIGNER = "designer"
    FOUNDRY = "foundry"
    CABINET_BUILDER = "cabinet_builder"
    MODEL_MAKER = "model_maker"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class MakerFact:
    """Something that happened, or was said, on a day."""

    text: str
    happened_on: date
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Maker:
    """`id` is the name in facts of chips in lower case: `vendor = "T-Head"` is of the maker `t-head`.

    `country` is a code of ISO 3166; `local_name` is empty for a maker that has no other.
    """

    id: str
    name: str
    country: str
    parts: tuple[MakerPart, ...]
    evidence: Evidence
    local_name: str = ""
    facts: tuple[MakerFact, ...] = ()
