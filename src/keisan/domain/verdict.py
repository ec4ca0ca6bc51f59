"""The three verdicts (DESIGN D5). Unknown never deletes, never counts as zero and never moves state; it only stops new work."""

from enum import StrEnum


class Verdict(StrEnum):
    """What is known of a thing's health, as of its last proof."""

    OK = "ok"
    UNKNOWN = "unknown"
    FAILED = "failed"
