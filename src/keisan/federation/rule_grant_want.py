"""Rules of a parent's wants: what it believes of its child's answers, and until when it begins work on what was granted."""

from dataclasses import replace
from datetime import datetime, timedelta

from keisan.domain.errors import LimitExceeded, StateConflict
from keisan.domain.grant import (
    FINAL_STATES,
    WANT_TRANSITIONS,
    GrantAnswer,
    GrantState,
    GrantWant,
    GrantWork,
    Sending,
    WantState,
)
from keisan.domain.limits import GRANT_SENDINGS_MAX
from keisan.federation.rule_grant import Reckoning, find_end_for_parent, is_of_newer_life, is_of_older_life


def ask_again(want: GrantWant, at: datetime, offset_ms: int | None) -> GrantWant:
    """Return a want that asks once more, now.

    Raises StateConflict for one that has ended, LimitExceeded while the child has left too much unanswered.
    """
    check_open(want)
    return say_again(want, at, offset_ms)


def say_again(want: GrantWant, at: datetime, offset_ms: int | None) -> GrantWant:
    """Return a want, ended or not, with one more word under the newest epoch; raises LimitExceeded as ask_again does."""
    # What was sent under an older epoch is answered in this one by nobody.
    sendings = {renewal: sent for renewal, sent in want.sendings.items() if sent.epoch == want.epoch}
    if len(sendings) >= GRANT_SENDINGS_MAX:
        raise LimitExceeded(f"the child has not answered the last {GRANT_SENDINGS_MAX} times that it was asked")
    # A parent that was restored from an old disk goes on above what its child has followed.
    renewal = max(want.renewal, want.answer.renewal if want.answer else 0) + 1
    sent = Sending(want.epoch, at, offset_ms)
    return replace(want, renewal=renewal, sendings={**sendings, renewal: sent}, version=want.version + 1)


def check_open(want: GrantWant) -> None:
    """Raise StateConflict for a want that has ended."""
    if want.state is not WantState.OPEN:
        raise StateConflict("the want has ended")


def end_want(want: GrantWant) -> GrantWant:
    """Return a want that is wanted no longer; raises StateConflict if it has ended."""
    if WantState.ENDED not in WANT_TRANSITIONS[want.state]:
        raise StateConflict("the want has ended")
    return replace(want, state=WantState.ENDED, work=None, version=want.version + 1)


def is_answer_news(want: GrantWant, answer: GrantAnswer) -> bool:
    """Tell whether a child's answer is newer than the last: of a newer life, or a higher version of its register in this one."""
    last = want.answer
    if last is None or is_of_newer_life(answer.epoch, last.epoch):
        return True
    return answer.epoch == last.epoch and answer.version > last.version


def take_answer(want: GrantWant, answer: GrantAnswer, known_epoch: int) -> GrantWant:
    """Return a want after its child's answer; the same again changes nothing.

    `known_epoch` is the highest heard of from this child in any want. Raises StateConflict for a message of a lower one.
    """
    if is_of_older_life(answer.epoch, known_epoch):
        raise StateConflict(f"the answer is of epoch {answer.epoch}, and the link is in {known_epoch}")
    if not is_answer_news(want, answer):
        return want
    sendings = {renewal: sent for renewal, sent in want.sendings.items() if renewal >= answer.renewal}
    return replace(want, epoch=answer.epoch, answer=answer, sendings=sendings, version=want.version + 1)


def reckon_want(want: GrantWant, offset_now_ms: int | None) -> Reckoning | None:
    """Return from when a parent reckons: from when it sent the word that was answered. None if nothing is granted, or that is not known."""
    if want.answer is None or want.answer.state is not GrantState.ISSUED:
        return None
    sent = want.sendings.get(want.answer.renewal)
    return None if sent is None else Reckoning(sent.at, want.scope.duration_s, sent.offset_ms, offset_now_ms)


def is_granted(want: GrantWant, now: datetime, offset_now_ms: int | None) -> bool:
    """Tell whether a parent may begin work on what it was granted; a held grant is good for none."""
    reckoning = reckon_want(want, offset_now_ms)
    return want.state is WantState.OPEN and reckoning is not None and now < find_end_for_parent(reckoning)


def set_work(want: GrantWant, work: GrantWork | None, now: datetime, offset_now_ms: int | None) -> GrantWant:
    """Return a want with other work; raises StateConflict for new work on a grant whose time is over. Less work is always taken."""
    check_open(want)
    if is_more_work(want.work, work) and not is_granted(want, now, offset_now_ms):
        raise StateConflict("nothing is granted now: ask again first")
    return replace(want, work=work, version=want.version + 1)


def is_more_work(before: GrantWork | None, after: GrantWork | None) -> bool:
    """Tell whether work begins that was not wanted before."""
    if after is None or after == before:
        return False
    if before is None or replace(after, replica_count=before.replica_count) != before:
        return after.replica_count > 0
    return after.replica_count > before.replica_count


def must_say_anew(want: GrantWant) -> bool:
    """Tell whether a want is to be sent anew at once: its child has begun another life since, in which it refuses older words."""
    sent = want.sendings.get(want.renewal)
    return sent is not None and is_of_older_life(sent.epoch, want.epoch)


def find_renewal_due(want: GrantWant) -> datetime | None:
    """Return when to ask again by itself: when half of the granted time is over since the last word.

    None if nothing is granted, or the child has left too much unanswered already.
    """
    answer = want.answer
    if want.state is not WantState.OPEN or answer is None or answer.state in FINAL_STATES:
        return None
    if not want.sendings or len(want.sendings) >= GRANT_SENDINGS_MAX:
        return None
    last = max(sent.at for sent in want.sendings.values())
    return last + timedelta(seconds=want.scope.duration_s) / 2
