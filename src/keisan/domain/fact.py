"""A fact: what is known of a candidate for a call, with the grade of its evidence. What is not known is no fact.

The platform's own records are measured: which chip a replica runs on, where, whose, and how long ago it was attested.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from keisan.domain.evidence import Grade


class FactName(StrEnum):
    """What a policy may speak of. All are sets of texts but `attestation_age_s`, a number of seconds."""

    CHIP = "chip"
    VENDOR = "vendor"
    DESIGNED_IN = "designed_in"
    FABRICATED_BY = "fabricated_by"
    FABRICATED_IN = "fabricated_in"
    PACKAGED_IN = "packaged_in"
    SOFTWARE_STACK = "software_stack"
    ADVISORY = "advisory"
    REGION = "region"
    SITE = "site"
    PROVIDER = "provider"
    PLATFORM = "platform"
    ATTESTATION_AGE_S = "attestation_age_s"


_VALUE = re.compile(r"[A-Za-z0-9._:/-]+")

# What the catalogue says of a chip.
CHIP_FACTS = (
    FactName.VENDOR,
    FactName.DESIGNED_IN,
    FactName.FABRICATED_BY,
    FactName.FABRICATED_IN,
    FactName.PACKAGED_IN,
    FactName.SOFTWARE_STACK,
    FactName.ADVISORY,
)
# A chip runs on several stacks and may be under several advisories; of all others a candidate has one.
SEVERAL_VALUED = frozenset({FactName.SOFTWARE_STACK, FactName.ADVISORY})
# Their values are codes of ISO 3166: a country (CN), or a part of one (CN-SX).
PLACES = frozenset({FactName.REGION, FactName.DESIGNED_IN, FactName.FABRICATED_IN, FactName.PACKAGED_IN})


@dataclass(frozen=True, slots=True)
class Fact:
    """`values` may be empty: of an advisory that says that there is known to be none."""

    values: tuple[str, ...]
    grade: Grade


def is_fact_value(text: str) -> bool:
    """Tell whether a policy could name this value."""
    return _VALUE.fullmatch(text) is not None
