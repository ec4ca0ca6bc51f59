"""Retention: for how long is kept what has no more use after a time, and which of it goes next. A doubt keeps data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class RetentionKind(StrEnum):
    """What is deleted after its time; nothing else ever is.

    Answers kept for repeated writes; records that were refused; deliveries that their receiver took, but for the newest of
    each webhook, which says where its sequence goes on.
    """

    ANSWER = "answer"
    QUARANTINED_RECORD = "quarantined_record"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Rows of `kind` are kept for `kept_days` whole days at least."""

    kind: RetentionKind
    kept_days: int

    def compute_cutoff(self, now: datetime) -> datetime:
        """Return the instant before which rows may go."""
        return now - timedelta(days=self.kept_days)


@dataclass(frozen=True, slots=True)
class RetentionStep:
    """What one transaction deletes: rows of the rule's kind from before the cutoff."""

    rule: RetentionRule
    cutoff: datetime


def choose_step(
    rules: tuple[RetentionRule, ...], oldest: Mapping[RetentionKind, datetime], now: datetime
) -> RetentionStep | None:
    """Return what to delete next, None if all that is there is still to be kept.

    `oldest` is the time of the oldest row that could go, of each kind that has one. What is longest over its time is first,
    so that no kind waits for ever behind another.
    """
    due = [
        RetentionStep(rule, rule.compute_cutoff(now))
        for rule in rules
        if rule.kind in oldest and oldest[rule.kind] < rule.compute_cutoff(now)
    ]
    return min(due, key=lambda step: oldest[step.rule.kind] - step.cutoff, default=None)
