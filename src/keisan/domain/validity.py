"""Validity: from when until when one immutable version of a noun holds, and which version holds at an instant.

Nothing that was said changes: what holds now is replaced by a newer version, and comes back when that one is over.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from keisan.domain.errors import InvalidInput


class Valid(Protocol):
    """A version that holds from `effective_from` on and before `effective_until`; None: until a newer one does."""

    @property
    def effective_from(self) -> datetime: ...
    @property
    def effective_until(self) -> datetime | None: ...
    @property
    def version(self) -> int: ...


Version = TypeVar("Version", bound=Valid)


def is_in_force(version: Valid, at: datetime) -> bool:
    """Tell whether a version covers an instant: its first instant belongs to it, its last does not."""
    return version.effective_from <= at and (version.effective_until is None or at < version.effective_until)


def choose_newest(versions: Iterable[Version], at: datetime) -> Version | None:
    """Return the newest of the versions that cover an instant, None if none does."""
    covering = (version for version in versions if is_in_force(version, at))
    return max(covering, key=lambda version: version.version, default=None)


def settle_start(wanted: datetime | None, now: datetime) -> datetime:
    """Return from when a version that is made now holds: from now on unless something else is wanted.

    Raises InvalidInput for the past: what held at an instant that has passed never changes, and whoever computes an
    amount of that instant again finds the same version.
    """
    if wanted is None:
        return now
    if wanted < now:
        raise InvalidInput(f"a version does not hold before it is made; it is {now.isoformat()} now", "effective_from")
    return wanted


def check_end(effective_from: datetime, effective_until: datetime | None) -> None:
    """Raise InvalidInput for a version that would end before it holds."""
    if effective_until is not None and effective_until <= effective_from:
        raise InvalidInput("a version ends after it begins to hold", "effective_until")
