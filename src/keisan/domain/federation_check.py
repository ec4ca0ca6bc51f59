"""What must hold between platforms whatever was cut, killed or restored, and what was found of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """What must hold, whatever was cut, killed or restored."""

    SILENCE = "silence"
    FENCING = "fencing"
    LOGS = "logs"
    REGISTERS = "registers"
    LEDGERS = "ledgers"
    CREDIT = "credit"
    RECORDS = "records"


class CheckState(StrEnum):
    """What was found of an invariant."""

    HELD = "held"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one invariant, of one neighbour (its name) or of the platform itself (empty); `text` says what is wrong."""

    invariant: Invariant
    neighbour: str
    state: CheckState
    numbers: Mapping[str, int]
    text: str = ""
