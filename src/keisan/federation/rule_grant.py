"""Rules of grants: what a child does with a want, and both sides with time. Values in, values out; no clock, no I/O.

The child is the only one to issue, and reckons later than the parent; so whoever is wrong about time, the parent stops first.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from keisan.domain.errors import StateConflict
from keisan.domain.grant import (
    FINAL_STATES,
    HOLDING_STATES,
    Grant,
    GrantScope,
    GrantState,
    GrantTerms,
    OnExpiry,
    WantArrival,
    WantWord,
    can_move_grant,
)
from keisan.domain.ids import DeviceId
from keisan.domain.limits import GRANT_SKEW_S

SKEW = timedelta(seconds=GRANT_SKEW_S)


def is_of_older_life(epoch: int, known: int) -> bool:
    """Tell whether a message is of a life of the link that has ended: it is refused. One of the present life is not."""
    return epoch < known


def is_of_newer_life(epoch: int, known: int) -> bool:
    """Tell whether a message tells of a life of the link that was not heard of before. The present one is no newer."""
    return epoch > known


def is_asked_again(renewal: int, followed: int) -> bool:
    """Tell whether a want asks anew: the same word once more, or an older one, prolongs nothing."""
    return renewal > followed


@dataclass(frozen=True, slots=True)
class Reckoning:
    """From when a grant is reckoned, on this platform's clock; the neighbour's clock less this one's, then and now.

    An offset that was not measured corrects nothing.
    """

    began_at: datetime
    duration_s: int
    offset_then_ms: int | None
    offset_now_ms: int | None

    def list_ends(self) -> tuple[datetime, datetime]:
        """Return the end by this platform's clock, and by the neighbour's told on this one's: one of them did not jump."""
        end = self.began_at + timedelta(seconds=self.duration_s)
        if self.offset_then_ms is None or self.offset_now_ms is None:
            return end, end
        return end, end + timedelta(milliseconds=self.offset_then_ms - self.offset_now_ms)


def find_end_for_parent(reckoning: Reckoning) -> datetime:
    """Return when a parent treats a grant as ended, reckoned from when it sent the want: the earlier end, less the skew bound."""
    return min(reckoning.list_ends()) - SKEW


def find_end_for_child(reckoning: Reckoning) -> datetime:
    """Return when a child treats a grant as ended, reckoned from when the want came: the later end, and the skew bound."""
    return max(reckoning.list_ends()) + SKEW


def reckon_grant(grant: Grant, offset_now_ms: int | None) -> Reckoning:
    """Return from when a child reckons a grant."""
    return Reckoning(grant.reckoned_from, grant.scope.duration_s, grant.offset_ms, offset_now_ms)


def may_begin_work(grant: Grant, now: datetime, offset_now_ms: int | None) -> bool:
    """Tell whether a child may start what its parent wants anew: not when the grant's time is over, held or not."""
    return grant.state is GrantState.ISSUED and now < find_end_for_child(reckon_grant(grant, offset_now_ms))


def expire_grant(grant: Grant, now: datetime, offset_now_ms: int | None) -> Grant:
    """Return a grant after the passing of time: held or released, as it says, once its time is over."""
    if grant.state is not GrantState.ISSUED or now < find_end_for_child(reckon_grant(grant, offset_now_ms)):
        return grant
    state = choose_after_expiry(grant.scope.on_expiry)
    return move_grant(grant, state, "its time is over and it was not renewed")


def choose_after_expiry(on_expiry: OnExpiry) -> GrantState:
    """Return what becomes of a grant that nobody renewed: silence alone takes nothing from a parent that asked to hold."""
    return GrantState.HELD if on_expiry is OnExpiry.HOLD else GrantState.RELEASED


def move_grant(grant: Grant, state: GrantState, reason: str) -> Grant:
    """Return a grant in another state; raises StateConflict where the state table has no such way."""
    if not can_move_grant(grant.state, state):
        raise StateConflict(f"a grant that is {grant.state} cannot become {state}")
    return replace(grant, state=state, reason=reason, version=grant.version + 1)


def issue_grant(grant: Grant, terms: GrantTerms, device_ids: tuple[DeviceId, ...]) -> tuple[Grant, GrantTerms]:
    """Return a proposed grant as issued, with the next number of the epoch, and the terms that have given it."""
    return number_grant(replace(move_grant(grant, GrantState.ISSUED, ""), device_ids=device_ids), terms)


def number_grant(grant: Grant, terms: GrantTerms) -> tuple[Grant, GrantTerms]:
    """Return a grant under the next number of the epoch, and the terms that have given it: no number is given twice."""
    number = terms.last_number + 1
    return replace(grant, epoch=terms.epoch, number=number), replace(
        terms, last_number=number, version=terms.version + 1
    )


def raise_epoch(terms: GrantTerms, above: int) -> GrantTerms:
    """Return the terms of another life of the link, above every epoch that was heard of; numbers begin anew."""
    return replace(terms, epoch=max(terms.epoch, above) + 1, last_number=0, version=terms.version + 1)


class WantStep(StrEnum):
    """What a child does with a want that has come."""

    REFUSE_EPOCH = "refuse_epoch"
    RAISE_EPOCH = "raise_epoch"
    RELEASE = "release"
    IGNORE = "ignore"
    TAKE_OVER = "take_over"
    RENEW = "renew"
    CHANGE_WORK = "change_work"
    PROPOSE = "propose"


def has_forgotten(terms: GrantTerms, word: WantWord) -> bool:
    """Tell whether a child was restored from an old disk: its parent has heard of an epoch, or a number, that it did not give yet."""
    if is_of_newer_life(word.epoch, terms.epoch):
        return True
    return word.epoch == terms.epoch and word.heard_number > terms.last_number


def decide_want(word: WantWord, terms: GrantTerms, grant: Grant | None) -> WantStep:
    """Return what a child does with a parent's want, of which `grant` is the last that it made."""
    if has_forgotten(terms, word):
        return WantStep.RAISE_EPOCH
    if is_of_older_life(word.epoch, terms.epoch):
        return WantStep.REFUSE_EPOCH
    if word.is_ended:
        return WantStep.IGNORE if grant is None or grant.state in FINAL_STATES else WantStep.RELEASE
    if grant is None:
        return WantStep.PROPOSE
    if is_of_newer_life(word.epoch, grant.epoch) and grant.state not in FINAL_STATES:
        return WantStep.TAKE_OVER
    if not is_asked_again(word.renewal, grant.renewal):
        return WantStep.CHANGE_WORK if word.work != grant.work and grant.state not in FINAL_STATES else WantStep.IGNORE
    if grant.state in FINAL_STATES:
        return WantStep.PROPOSE
    return WantStep.RENEW


def is_granted_at_once(terms: GrantTerms, grants: tuple[Grant, ...], scope: GrantScope) -> bool:
    """Tell whether a want needs no person: with all that is granted already it stays within what the child's policy allows."""
    held = sum(grant.scope.count for grant in grants if grant.state in HOLDING_STATES)
    return held + scope.count <= terms.automatic_count


def take_over_grant(grant: Grant, terms: GrantTerms, word: WantWord, arrival: WantArrival) -> tuple[Grant, GrantTerms]:
    """Return a grant of an older life as asked for again in this one: the same devices under a number of this epoch."""
    renewed = renew_grant(grant, word, arrival)
    if renewed.state is GrantState.PROPOSED:
        return replace(renewed, epoch=terms.epoch), terms
    return number_grant(renewed, terms)


def renew_grant(grant: Grant, word: WantWord, arrival: WantArrival) -> Grant:
    """Return a grant that its parent asked for again, reckoned from when that came: a held one is issued again, a proposed one waits on."""
    state = grant.state if grant.state is GrantState.PROPOSED else GrantState.ISSUED
    return replace(
        move_grant(grant, state, ""),
        renewal=word.renewal,
        work=word.work,
        reckoned_from=arrival.at,
        offset_ms=arrival.offset_ms,
    )
