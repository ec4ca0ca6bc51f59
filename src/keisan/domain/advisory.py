"""An advisory: what an authority or a maker says against the use of chips, which policies can name."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from keisan.domain.evidence import Evidence


class Severity(StrEnum):
    """How far an advisory goes. Order of the members is from weakest to strongest."""

    NOTICE = "notice"  # a risk is looked into
    WARNING = "warning"  # its issuer advises against the use
    BAN = "ban"  # the use is forbidden


@dataclass(frozen=True, slots=True)
class Advisory:
    """`id` is the value of the fact `advisory` of the chips that it is about."""

    id: str
    title: str
    issuer: str
    severity: Severity
    issued_on: date
    summary: str
    evidence: Evidence
