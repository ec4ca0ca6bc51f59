"""Policies: one text form, closed where nothing is known, the same in Python and Rust."""

import contextlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Grade
from keisan.domain.fact import PLACES, Fact, FactName
from keisan.domain.policy import (
    CandidateFacts,
    Clause,
    Operator,
    Outcome,
    Policy,
    evaluate_clause,
    evaluate_policy,
    is_matching,
    parse_policy,
)
from tests.domain.policy_cases import ASCEND, EDGES, INVALID, VALUES, format_golden

GOLDEN = Path(__file__).parents[1] / "golden" / "policies.json"
SPACES = st.text(" \t\r\n", max_size=3)
GRADES = st.none() | st.sampled_from(Grade)


@st.composite
def draw_set_clause(draw: st.DrawFn) -> Clause:
    fact = draw(st.sampled_from(list(VALUES)))
    values = draw(st.lists(st.sampled_from(VALUES[fact]), min_size=1, max_size=4))
    return Clause(fact, draw(st.sampled_from([Operator.IN, Operator.NOT_IN])), tuple(values), 0, draw(GRADES))


CLAUSES = st.one_of(
    draw_set_clause(),
    st.builds(lambda grade: Clause(FactName.ADVISORY, Operator.NONE, grade=grade), GRADES),
    st.builds(
        lambda bound, grade: Clause(FactName.ATTESTATION_AGE_S, Operator.AT_MOST, bound=bound, grade=grade),
        st.integers(min_value=0, max_value=100),
        GRADES,
    ),
)
POLICIES = st.lists(CLAUSES, max_size=5).map(lambda clauses: Policy(tuple(clauses)))


@st.composite
def draw_facts(draw: st.DrawFn) -> CandidateFacts:
    names = draw(st.sets(st.sampled_from(list(VALUES))))
    known = {
        name: Fact(
            tuple(draw(st.lists(st.sampled_from(VALUES[name]), max_size=2, unique=True))),
            draw(st.sampled_from(Grade)),
        )
        for name in names
    }
    return CandidateFacts(known, draw(st.none() | st.integers(min_value=0, max_value=120)))


def judge_slowly(clause: Clause, facts: CandidateFacts) -> Outcome:
    """Return what the contract says in its own words, value by value."""
    if clause.fact is FactName.ATTESTATION_AGE_S:
        if facts.attestation_age_s is None:
            return Outcome.UNKNOWN
        return Outcome.HOLDS if facts.attestation_age_s <= clause.bound else Outcome.FAILS
    fact = facts.known.get(clause.fact)
    if fact is None:
        return Outcome.UNKNOWN
    if clause.grade is not None and "MABCD".index(fact.grade) > "MABCD".index(clause.grade):
        return Outcome.UNKNOWN
    if clause.operator is Operator.NONE:
        return Outcome.FAILS if fact.values else Outcome.HOLDS
    matches = 0
    for value in fact.values:
        for wanted in clause.values:
            is_country = clause.fact in PLACES and "-" not in wanted
            if value == wanted or (is_country and value.startswith(f"{wanted}-")):
                matches += 1
    return Outcome.HOLDS if (matches > 0) == (clause.operator is Operator.IN) else Outcome.FAILS


@given(policy=POLICIES)
def test_text_comes_back_as_it_was(policy: Policy) -> None:
    assert parse_policy(str(policy)) == policy
    assert str(parse_policy(str(policy))) == str(policy)


@given(policy=POLICIES, space=SPACES, more=st.text(" ;\t\r\n", max_size=5))
def test_white_space_and_blank_clauses_say_nothing(policy: Policy, space: str, more: str) -> None:
    loose = (
        str(policy)
        .replace(", ", f"{space},{space}")
        .replace("; ", f"{space};{more}")
        .replace(" @ ", f"{space}@{space}")
    )
    loose = loose.replace(" <= ", f"{space}<={space}").replace(" in ", f" {space}in {space}")
    assert parse_policy(more + loose + more) == policy


@given(clause=CLAUSES, facts=draw_facts())
def test_clause_says_what_the_contract_says(clause: Clause, facts: CandidateFacts) -> None:
    assert evaluate_clause(clause, facts) is judge_slowly(clause, facts)


@given(policy=POLICIES, facts=draw_facts())
def test_policy_admits_what_every_clause_admits_and_names_the_first_that_does_not(
    policy: Policy, facts: CandidateFacts
) -> None:
    decision = evaluate_policy(policy, facts)
    outcomes = [judge_slowly(clause, facts) for clause in policy.clauses]
    refused = [position for position, outcome in enumerate(outcomes) if outcome is not Outcome.HOLDS]
    if refused:
        assert (decision.outcome, decision.clause) == (outcomes[refused[0]], policy.clauses[refused[0]])
    else:
        assert (decision.outcome, decision.clause) == (Outcome.HOLDS, None)


@given(policy=POLICIES, more=CLAUSES, facts=draw_facts())
def test_one_clause_more_only_narrows(policy: Policy, more: Clause, facts: CandidateFacts) -> None:
    narrowed = evaluate_policy(Policy((*policy.clauses, more)), facts)
    if narrowed.outcome is Outcome.HOLDS:
        assert evaluate_policy(policy, facts).outcome is Outcome.HOLDS


@given(policy=POLICIES, facts=draw_facts())
def test_knowing_less_never_admits(policy: Policy, facts: CandidateFacts) -> None:
    """Neither a fact that is taken away nor worse evidence makes a policy hold."""
    if evaluate_policy(policy, facts).outcome is not Outcome.HOLDS:
        worse = {name: Fact(fact.values, Grade.HEARSAY) for name, fact in facts.known.items()}
        for name in facts.known:
            less = {other: fact for other, fact in worse.items() if other is not name}
            assert evaluate_policy(policy, CandidateFacts(less, None)).outcome is not Outcome.HOLDS


def test_nothing_known_holds_nothing_but_the_empty_policy() -> None:
    nothing = CandidateFacts({}, None)
    assert evaluate_policy(Policy(), nothing).outcome is Outcome.HOLDS
    for fact, values in VALUES.items():
        for operator in (Operator.IN, Operator.NOT_IN):
            assert evaluate_clause(Clause(fact, operator, values), nothing) is Outcome.UNKNOWN


@pytest.mark.parametrize("fact", FactName)
def test_country_holds_its_parts_and_only_places_have_parts(fact: FactName) -> None:
    assert is_matching(fact, "CN-SX", frozenset({"CN"})) is (fact in PLACES)
    assert not is_matching(fact, "CNX", frozenset({"CN"}))
    assert not is_matching(fact, "CN", frozenset({"CN-SX"}))
    assert is_matching(fact, "CN", frozenset({"CN"}))


@pytest.mark.parametrize(("text", "age_s", "outcome", "clause"), EDGES, ids=[edge[0][:40] for edge in EDGES])
def test_edges_come_out_as_written(text: str, age_s: int | None, outcome: str, clause: str | None) -> None:
    decision = evaluate_policy(parse_policy(text), CandidateFacts(ASCEND, age_s))
    assert (str(decision.outcome), None if decision.clause is None else str(decision.clause)) == (outcome, clause)


@pytest.mark.parametrize("text", INVALID, ids=lambda text: ascii(text)[:40])
def test_wrong_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_policy(text)
    assert refused.value.field == "policy"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("region in CN; colour in red", "'colour in red': there is no fact 'colour'; there are chip, vendor"),
        ("chip in a @ E", "'chip in a @ E': there is no grade 'E'; there are M, A, B, C, D"),
        ("chip none", "'chip none': only advisory can be none"),
        ("chip <= 5", "'chip <= 5': attestation_age_s is a number"),
        ("attestation_age_s in 5", "'attestation_age_s in 5': attestation_age_s is a number"),
        ("attestation_age_s none", "'attestation_age_s none': attestation_age_s is a number"),
        ("chip in a b", "'chip in a b': expected FACT in VALUES"),
        ("x" * 2049, "at most 2048 characters, got 2049"),
        ("advisory none;" * 33, "at most 32 clauses, got 33"),
    ],
)
def test_refusal_names_the_clause_and_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match="polic") as refused:
        parse_policy(text)
    assert told in refused.value.outside


@given(st.text(max_size=60) | st.text("chipn otadvsryregi<=@;,AB \t-019", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    # Any other exception fails the test.
    with contextlib.suppress(InvalidInput):
        assert parse_policy(str(parse_policy(text))) == parse_policy(text)


def test_golden_policies_are_what_the_generator_writes() -> None:
    text = format_golden()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text, "UPDATE_GOLDEN=1 writes it anew; the relay reads it too"


def test_golden_policies_try_everything() -> None:
    """Each verdict, operator, fact and grade stands in enough cases to be wrong in one."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    cases = golden["cases"]
    assert len(cases) >= 200
    assert len(golden["invalid"]) >= 50
    for outcome in Outcome:
        assert sum(case["verdict"] == outcome for case in cases) >= 50, outcome
    texts = [str(parse_policy(case["policy"])) for case in cases]
    for name in FactName:
        assert sum(f"{name} " in text for text in texts) >= 20, name
    for grade in Grade:
        assert sum(f"@ {grade}" in text for text in texts) >= 20, grade
    firsts = [str(next(iter(parse_policy(case["policy"]).clauses), None)) for case in cases]
    assert sum(case["clause"] not in (None, first) for case, first in zip(cases, firsts, strict=True)) >= 30
