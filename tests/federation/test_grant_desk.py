"""The child's desk: each want followed once; and a parent and a child played against each other with every delay and repeat."""

from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.grant import (
    HOLDING_STATES,
    Grant,
    GrantAnswer,
    GrantScope,
    GrantState,
    GrantTerms,
    GrantWant,
    OnExpiry,
    WantArrival,
    WantState,
    WantWord,
)
from keisan.domain.ids import GrantId, GrantWantId
from keisan.domain.limits import GRANT_EPOCH_JUMP_MAX, GRANT_SENDINGS_MAX
from keisan.federation.grant_book import open_book
from keisan.federation.grant_desk import DeskOutcome, GrantDesk, build_answer, decide_proposal, follow_want
from keisan.federation.rule_grant import expire_grant, may_begin_work, raise_epoch
from keisan.federation.rule_grant_want import ask_again, end_want, is_granted, must_say_anew, say_again, take_answer
from tests.federation.grant_samples import (
    ARRIVAL,
    CHILD,
    DEVICE_IDS,
    DEVICES,
    PARENT,
    SCOPE,
    TERMS,
    WORK,
    after,
    build_desk,
    build_grant,
    build_grant_id,
    build_want,
    build_word,
)

NEW_ID = build_grant_id(9)


def follow(desk: GrantDesk, word: WantWord) -> DeskOutcome:
    return follow_want(desk, word, ARRIVAL, NEW_ID)


def test_want_within_the_policy_is_granted_at_once() -> None:
    outcome = follow(build_desk(), build_word(work=WORK))
    assert outcome.grant is not None
    assert (outcome.grant.state, outcome.grant.number, outcome.grant.device_ids) == (
        GrantState.ISSUED,
        8,
        DEVICE_IDS[0:3:2],
    )
    assert (outcome.grant.id, outcome.grant.work, outcome.terms.last_number) == (NEW_ID, WORK, 8)
    assert build_answer(outcome, build_word(), 4) == GrantAnswer(3, 8, 4, GrantState.ISSUED, 1, "")


def test_want_beyond_the_policy_waits_for_a_person() -> None:
    desk = build_desk(terms=replace(TERMS, automatic_count=1))
    outcome = follow(desk, build_word())
    assert outcome.grant is not None
    assert (outcome.grant.state, outcome.grant.device_ids, outcome.terms) == (GrantState.PROPOSED, (), desk.terms)
    approved = decide_proposal(desk, outcome.grant, is_approved=True)
    assert approved.grant is not None
    assert (approved.grant.state, approved.grant.number) == (GrantState.ISSUED, 8)


def test_want_of_more_than_there_is_is_refused_with_both_numbers() -> None:
    outcome = follow(build_desk(), build_word(scope=replace(SCOPE, count=4)))
    assert outcome.grant is not None
    assert (outcome.grant.state, outcome.grant.reason) == (GrantState.REFUSED, "4 devices are wanted, 3 are free")
    assert outcome.terms == TERMS


def test_second_grant_has_other_devices() -> None:
    held = build_grant(state=GrantState.HELD, device_ids=DEVICE_IDS[0:3:2])
    outcome = follow(build_desk(None, held), build_word(scope=replace(SCOPE, count=1)))
    assert outcome.grant is not None
    assert outcome.grant.device_ids == DEVICE_IDS[4:5]


@pytest.mark.parametrize("word", [{}, {"renewal": 0}])
def test_same_want_again_changes_nothing(word: dict[str, int]) -> None:
    grant = build_grant()
    assert follow(build_desk(grant, grant), build_word(**word)) == DeskOutcome(TERMS, grant)


def test_end_of_what_was_never_granted_changes_nothing() -> None:
    outcome = follow(build_desk(), build_word(is_ended=True))
    assert outcome == DeskOutcome(TERMS, None)
    assert build_answer(outcome, build_word(), 1).state is GrantState.REFUSED


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (GrantState.ISSUED, GrantState.RELEASED),
        (GrantState.HELD, GrantState.RELEASED),
        (GrantState.PROPOSED, GrantState.REFUSED),
    ],
)
def test_word_of_the_parent_ends_a_grant(state: GrantState, expected: GrantState) -> None:
    outcome = follow(build_desk(build_grant(state=state)), build_word(is_ended=True))
    assert outcome.grant is not None
    assert outcome.grant.state is expected


def test_other_work_is_taken_without_prolonging() -> None:
    outcome = follow(build_desk(build_grant()), build_word(work=WORK))
    assert outcome.grant == build_grant(work=WORK, version=3)


def test_renewal_prolongs() -> None:
    outcome = follow_want(build_desk(build_grant()), build_word(renewal=2), WantArrival(after(60), 1), NEW_ID)
    assert outcome.grant == build_grant(renewal=2, reckoned_from=after(60), offset_ms=1, version=3)


def test_want_of_an_older_life_is_told_the_present_one() -> None:
    outcome = follow(build_desk(build_grant()), build_word(epoch=2, renewal=5))
    assert (outcome.grant, outcome.terms) == (build_grant(), TERMS)
    answer = build_answer(outcome, build_word(renewal=5), 1)
    assert answer == GrantAnswer(3, 0, 1, GrantState.REFUSED, 5, "asked under epoch 2, and this is 3: ask again")


def test_restored_child_raises_its_epoch_above_what_the_parent_has_heard_of() -> None:
    outcome = follow(build_desk(build_grant()), build_word(epoch=6))
    assert (outcome.terms.epoch, outcome.terms.last_number, outcome.grant) == (7, 0, build_grant())
    assert build_answer(outcome, build_word(epoch=6), 1).epoch == 7


def test_epoch_that_no_restored_disk_explains_is_not_believed() -> None:
    follow(build_desk(), build_word(epoch=3 + GRANT_EPOCH_JUMP_MAX))
    with pytest.raises(InvalidInput, match="too far"):
        follow(build_desk(), build_word(epoch=4 + GRANT_EPOCH_JUMP_MAX))


def test_grant_of_an_older_life_goes_on_under_a_new_number() -> None:
    old = build_grant(epoch=2, state=GrantState.HELD)
    outcome = follow(build_desk(old, old), build_word(renewal=1))
    assert outcome.grant is not None
    assert (outcome.grant.epoch, outcome.grant.number, outcome.grant.state) == (3, 8, GrantState.ISSUED)
    assert (outcome.grant.device_ids, outcome.terms.last_number) == (old.device_ids, 8)


WANT_IDS = tuple(GrantWantId(build_grant_id(100 + number)) for number in range(3))


@dataclass
class Play:
    """A parent with three wants and their child, with all that was ever said lying in two piles, and clocks that jump."""

    now_s: int = 0
    jumps_s: list[int] = field(default_factory=lambda: [0, 0])
    terms: GrantTerms = TERMS
    grants: dict[GrantId, Grant] = field(default_factory=dict)
    wants: dict[GrantWantId, GrantWant] = field(default_factory=dict)
    words: list[WantWord] = field(default_factory=list)
    answers: list[tuple[GrantWantId, GrantAnswer]] = field(default_factory=list)
    versions: dict[GrantWantId, int] = field(default_factory=dict)
    numbers: dict[tuple[int, int], GrantId] = field(default_factory=dict)
    told_ended: set[GrantWantId] = field(default_factory=set)
    made: int = 0

    def __post_init__(self) -> None:
        for number, want_id in enumerate(WANT_IDS):
            chip = ("chip-a", "chip-b", None)[number]
            on_expiry = (OnExpiry.HOLD, OnExpiry.RELEASE, OnExpiry.HOLD)[number]
            want = build_want(id=want_id, scope=GrantScope(chip, 2, 3600, on_expiry), epoch=0, renewal=0, sendings={})
            self.wants[want_id] = want
            self.say(say_again(want, self.tell_time(0), self.measure(0)))

    def tell_time(self, side: int) -> datetime:
        return after(self.now_s + self.jumps_s[side])

    def measure(self, side: int) -> int:
        return 1000 * (self.jumps_s[1 - side] - self.jumps_s[side])

    def say(self, want: GrantWant) -> None:
        self.wants[want.id] = want
        is_ended = want.state is WantState.ENDED
        self.words.append(WantWord(PARENT, want.id, want.epoch, 0, want.renewal, is_ended, want.scope, want.work))

    def ask(self, place: int) -> None:
        want = self.wants[WANT_IDS[place % 3]]
        if want.state is WantState.OPEN and len(want.sendings) < GRANT_SENDINGS_MAX:
            self.say(ask_again(want, self.tell_time(0), self.measure(0)))

    def end(self, place: int) -> None:
        want = self.wants[WANT_IDS[place % 3]]
        if want.state is WantState.OPEN:
            self.say(end_want(want))

    def deliver_word(self, place: int) -> None:
        """Any word that was ever said arrives, perhaps once more."""
        word = self.words[-1 - place % len(self.words)]
        of_want = [grant for grant in self.grants.values() if grant.want_id == word.want_id]
        last = max(of_want, key=lambda grant: grant.id, default=None)
        holding = tuple(grant for grant in self.grants.values() if grant.state in HOLDING_STATES)
        desk = GrantDesk(CHILD, self.terms, holding, open_book(DEVICES, holding), last)
        self.made += 1
        arrival = WantArrival(self.tell_time(1), self.measure(1))
        outcome = follow_want(desk, word, arrival, build_grant_id(self.made))
        if word.is_ended and not outcome.refusal:
            self.told_ended.add(word.want_id)
        assert outcome.terms.epoch >= self.terms.epoch
        self.terms = outcome.terms
        if outcome.grant is not None:
            self.keep(outcome.grant)
        self.versions[word.want_id] = self.versions.get(word.want_id, 0) + 1
        self.answers.append((word.want_id, build_answer(outcome, word, self.versions[word.want_id])))

    def keep(self, grant: Grant) -> None:
        if grant.number:
            assert self.numbers.setdefault((grant.epoch, grant.number), grant.id) == grant.id
        self.grants[grant.id] = grant

    def deliver_answer(self, place: int) -> None:
        if not self.answers:
            return
        want_id, answer = self.answers[-1 - place % len(self.answers)]
        known = max(want.epoch for want in self.wants.values())
        if answer.epoch < known:
            with pytest.raises(StateConflict):
                take_answer(self.wants[want_id], answer, known)
            return
        want = take_answer(self.wants[want_id], answer, known)
        self.wants[want_id] = want
        if must_say_anew(want):
            self.say(say_again(want, self.tell_time(0), self.measure(0)))

    def pass_time(self, place: int) -> None:
        self.now_s += 60 * place * place
        for grant in list(self.grants.values()):
            self.keep(expire_grant(grant, self.tell_time(1), self.measure(1)))

    def jump(self, place: int) -> None:
        """The clock of one side jumps; the link measures that at once."""
        self.jumps_s[place % 2] += 600 if place < 5 else -600

    def restore(self, place: int) -> None:
        """The child begins another life."""
        if place == 0:
            self.terms = raise_epoch(self.terms, 0)

    def check(self) -> None:
        open_book(DEVICES, self.grants.values())
        for want in self.wants.values():
            if is_granted(want, self.tell_time(0), self.measure(0)):
                assert any(self.may_begin(grant) for grant in self.grants.values() if grant.want_id == want.id)
        for grant in self.grants.values():
            if grant.state is GrantState.RELEASED and grant.scope.on_expiry is OnExpiry.HOLD:
                assert grant.want_id in self.told_ended

    def may_begin(self, grant: Grant) -> bool:
        # What the parent itself has ended is out of its own hands.
        is_ended = grant.want_id in self.told_ended
        return is_ended or may_begin_work(grant, self.tell_time(1), self.measure(1))

    def converge(self) -> None:
        for _ in range(8):
            for want_id in WANT_IDS:
                latest = next(place for place, word in enumerate(reversed(self.words)) if word.want_id == want_id)
                self.deliver_word(latest)
                self.deliver_answer(0)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["ask", "end", "deliver_word", "deliver_word", "deliver_answer", "pass_time", "jump", "restore"]
        ),
        st.integers(0, 9),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_no_order_of_words_times_and_lives_breaks_what_is_granted(steps: list[tuple[str, int]]) -> None:
    play = Play()
    for name, place in steps:
        getattr(play, name)(place)
        play.check()
    play.converge()
    play.check()
    for want in play.wants.values():
        assert want.answer is not None
        assert want.epoch == want.answer.epoch == play.terms.epoch
        of_want = [grant for grant in play.grants.values() if grant.want_id == want.id]
        if want.state is WantState.ENDED:
            assert not any(grant.state in HOLDING_STATES for grant in of_want)
