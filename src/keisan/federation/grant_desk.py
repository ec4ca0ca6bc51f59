"""Where a child answers its parent's wants: a want and all that is committed go in, what to write and to answer comes out."""

from dataclasses import dataclass, replace

from keisan.domain.errors import InvalidInput
from keisan.domain.grant import Grant, GrantAnswer, GrantState, GrantTerms, WantArrival, WantWord
from keisan.domain.ids import GrantId, PlatformId
from keisan.domain.limits import GRANT_EPOCH_JUMP_MAX
from keisan.federation.grant_book import GrantBook, pick_devices
from keisan.federation.rule_grant import (
    WantStep,
    decide_want,
    is_granted_at_once,
    issue_grant,
    move_grant,
    raise_epoch,
    renew_grant,
    take_over_grant,
)


@dataclass(frozen=True, slots=True)
class GrantDesk:
    """What a child knows as a want comes: its terms, what grants hold, its book, and the last grant of this want."""

    platform_id: PlatformId
    terms: GrantTerms
    holding: tuple[Grant, ...]
    book: GrantBook
    last: Grant | None


@dataclass(frozen=True, slots=True)
class DeskOutcome:
    """The terms and the grant as they are now, changed or not; `refusal` is why a want was not followed at all."""

    terms: GrantTerms
    grant: Grant | None
    refusal: str = ""


def follow_want(desk: GrantDesk, word: WantWord, arrival: WantArrival, new_id: GrantId) -> DeskOutcome:
    """Return what a want makes of its grant; the same want again changes nothing.

    Raises InvalidInput for an epoch that is further ahead than a restored disk explains.
    """
    if word.epoch > desk.terms.epoch + GRANT_EPOCH_JUMP_MAX:
        raise InvalidInput(f"epoch {word.epoch} is too far from {desk.terms.epoch}", "epoch")
    last = desk.last
    match decide_want(word, desk.terms, last):
        case WantStep.RAISE_EPOCH:
            # The parent has heard of a life that this platform does not remember: it was restored from an old disk.
            raised = raise_epoch(desk.terms, word.epoch)
            return DeskOutcome(raised, last, _tell_epoch(word, raised))
        case WantStep.REFUSE_EPOCH:
            return DeskOutcome(desk.terms, last, _tell_epoch(word, desk.terms))
        case WantStep.PROPOSE:
            return decide_proposal(desk, _propose(desk, word, arrival, new_id))
        case step if last is not None:
            return _follow_again(desk.terms, last, step, (word, arrival))
        case _:
            return DeskOutcome(desk.terms, None)


def decide_proposal(desk: GrantDesk, grant: Grant, *, is_approved: bool = False) -> DeskOutcome:
    """Return a proposed grant as issued, refused for want of devices, or left to a person, whose approval `is_approved` is."""
    if not (is_approved or is_granted_at_once(desk.terms, desk.holding, grant.scope)):
        return DeskOutcome(desk.terms, grant)
    chosen = pick_devices(desk.book, grant.scope)
    if not chosen:
        free = len(desk.book.list_free(grant.scope.chip))
        reason = f"{grant.scope.count} devices are wanted, {free} are free"
        return DeskOutcome(desk.terms, move_grant(grant, GrantState.REFUSED, reason))
    desk.book.assign(grant.id, chosen)
    issued, terms = issue_grant(grant, desk.terms, chosen)
    return DeskOutcome(terms, issued)


def build_answer(outcome: DeskOutcome, word: WantWord, version: int) -> GrantAnswer:
    """Return what a child answers to a want, in a register of `version`."""
    grant = outcome.grant
    if outcome.refusal or grant is None:
        return GrantAnswer(outcome.terms.epoch, 0, version, GrantState.REFUSED, word.renewal, outcome.refusal)
    return GrantAnswer(grant.epoch, grant.number, version, grant.state, grant.renewal, grant.reason)


def _tell_epoch(word: WantWord, terms: GrantTerms) -> str:
    return f"asked under epoch {word.epoch}, and this is {terms.epoch}: ask again"


def _propose(desk: GrantDesk, word: WantWord, arrival: WantArrival, new_id: GrantId) -> Grant:
    return Grant(
        id=new_id,
        platform_id=desk.platform_id,
        parent_id=word.parent_id,
        want_id=word.want_id,
        epoch=desk.terms.epoch,
        number=0,
        scope=word.scope,
        renewal=word.renewal,
        reckoned_from=arrival.at,
        offset_ms=arrival.offset_ms,
        device_ids=(),
        work=word.work,
        deployment_id=None,
        state=GrantState.PROPOSED,
        reason="",
        version=1,
        created_at=arrival.at,
    )


def _follow_again(terms: GrantTerms, grant: Grant, step: WantStep, said: tuple[WantWord, WantArrival]) -> DeskOutcome:
    word, arrival = said
    match step:
        case WantStep.RELEASE:
            ended = GrantState.REFUSED if grant.state is GrantState.PROPOSED else GrantState.RELEASED
            return DeskOutcome(terms, move_grant(grant, ended, "the parent wants it no longer"))
        case WantStep.TAKE_OVER:
            taken, numbered = take_over_grant(grant, terms, word, arrival)
            return DeskOutcome(numbered, taken)
        case WantStep.RENEW:
            return DeskOutcome(terms, renew_grant(grant, word, arrival))
        case WantStep.CHANGE_WORK:
            return DeskOutcome(terms, replace(grant, work=word.work, version=grant.version + 1))
        case _:
            return DeskOutcome(terms, grant)
