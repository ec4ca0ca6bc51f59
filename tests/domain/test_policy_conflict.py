"""Policies that can never match: found exactly, within one policy and across the layers above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.evidence import Grade
from keisan.domain.fact import SEVERAL_VALUED, Fact, FactName
from keisan.domain.limits import POLICY_CHARACTERS_MAX
from keisan.domain.policy import CandidateFacts, Clause, Operator, Outcome, Policy, evaluate_policy, parse_policy
from keisan.domain.policy_conflict import Room, check_policy, find_conflict, find_unknown, list_values
from tests.domain.policy_cases import VALUES
from tests.domain.samples import build_chip

# Every text that a clause below can name, parts that none of them names, and what no clause names at all.
UNIVERSE = {name: (*values, *(f"{value}-0" for value in values), "nobody") for name, values in VALUES.items()}
CHIPS = {
    "nvidia-h20": build_chip("nvidia-h20", vendor=("NVIDIA",)),
    "ascend-910c": build_chip("ascend-910c", vendor=("Huawei",)),
    "cpu-x86-64": build_chip(),
}


@st.composite
def draw_policy_on_one_fact(draw: st.DrawFn) -> tuple[FactName, Policy]:
    fact = draw(st.sampled_from(list(VALUES)))
    clauses = [draw(st.sampled_from(list(Operator))) for _ in range(draw(st.integers(min_value=1, max_value=4)))]
    made = []
    for operator in clauses:
        if operator in (Operator.IN, Operator.NOT_IN):
            values = draw(st.lists(st.sampled_from(VALUES[fact]), min_size=1, max_size=3))
            made.append(Clause(fact, operator, tuple(values)))
        elif fact is FactName.ADVISORY:
            made.append(Clause(fact, Operator.NONE))
    return fact, Policy(tuple(made))


def can_match(fact: FactName, policy: Policy) -> bool:
    """Tell by trying every candidate there is: one value of the fact, or any two of those with several."""
    candidates: list[tuple[str, ...]] = [(value,) for value in UNIVERSE[fact]]
    if fact in SEVERAL_VALUED:
        values = UNIVERSE[fact]
        candidates = [tuple(values[n] for n in range(len(values)) if bits >> n & 1) for bits in range(1 << len(values))]
    return any(
        evaluate_policy(policy, CandidateFacts({fact: Fact(values, Grade.MEASURED)}, None)).outcome is Outcome.HOLDS
        for values in candidates
    )


@given(draw_policy_on_one_fact())
def test_conflict_is_found_exactly_when_no_candidate_can_match(drawn: tuple[FactName, Policy]) -> None:
    fact, policy = drawn
    assert (find_conflict([policy]) is None) is can_match(fact, policy)


@given(draw_policy_on_one_fact())
def test_clause_that_is_named_is_the_first_to_leave_nothing(drawn: tuple[FactName, Policy]) -> None:
    fact, policy = drawn
    conflict = find_conflict([policy])
    lengths = [
        length for length in range(1, len(policy.clauses) + 1) if not can_match(fact, Policy(policy.clauses[:length]))
    ]
    assert conflict == (policy.clauses[lengths[0] - 1] if lengths else None)


@given(st.lists(draw_policy_on_one_fact(), min_size=1, max_size=3))
def test_layers_are_one_conjunction(drawn: list[tuple[FactName, Policy]]) -> None:
    layers = [policy for _, policy in drawn]
    together = Policy(tuple(clause for policy in layers for clause in policy.clauses))
    assert find_conflict(layers) == find_conflict([together])


@pytest.mark.parametrize(
    "text",
    [
        "chip in a; chip in b",
        "vendor in A, B; vendor not in B; vendor not in A",
        "region in CN; region in JP",
        "region in CN-SX; region not in CN",
        "region in CN; region not in CN",
        "region not in CN; region in CN-SX",
        "region in CN, JP-13; region in CN-SX; region not in CN-SX",
        "designed_in in CN @ A; designed_in in US @ D",
        "advisory none; advisory in X-1",
        "advisory in X-1; advisory none",
        "advisory in X-1; advisory not in X-1",
        "software_stack in CUDA; software_stack not in CUDA",
        "site in a; region in CN; site in b",
    ],
)
def test_contradictions(text: str) -> None:
    conflict = find_conflict([parse_policy(text)])
    assert conflict == parse_policy(text).clauses[-1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "chip in a; chip in a, b",
        "region in CN; region in CN-SX",
        "region in CN; region not in CN-SX",
        "region in CN-SX; region in CN; region not in CN-SH",
        "region not in CN; region not in JP",
        "advisory none; advisory not in X-1",
        "advisory none; advisory none",
        "advisory in X-1; advisory in X-2",
        "software_stack in CUDA; software_stack in CANN; software_stack not in Neuware",
        "attestation_age_s <= 5; attestation_age_s <= 0",
        "chip in a; vendor in a; site in b",
    ],
)
def test_what_can_match_is_no_conflict(text: str) -> None:
    assert find_conflict([parse_policy(text)]) is None


def test_room_says_what_is_left() -> None:
    room = Room(FactName.REGION).narrow(parse_policy("region in CN, JP-13").clauses[0])
    assert room.narrow(parse_policy("region in CN-SX, JP").clauses[0]).wanted == (frozenset({"CN-SX", "JP-13"}),)
    assert not Room(FactName.REGION).is_empty


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("chip in nvidia-h20, x", None),
        ("chip in x, y @ A", "chip in x, y @ A"),
        ("chip not in x", None),
        ("vendor in NVIDIA", None),
        ("vendor in nvidia", "vendor in nvidia"),
        ("region in nowhere; vendor in Huawei; chip in x", "chip in x"),
    ],
)
def test_chips_and_makers_that_nobody_knows(text: str, unknown: str | None) -> None:
    found = find_unknown(parse_policy(text), CHIPS)
    assert (None if found is None else str(found)) == unknown


def test_facts_of_a_chip_that_are_unknown_have_no_values() -> None:
    assert list_values(CHIPS["nvidia-h20"], FactName.VENDOR) == ("NVIDIA",)
    assert list_values(CHIPS["cpu-x86-64"], FactName.VENDOR) == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("vendor in Intel", "'vendor in Intel' can never hold: the catalogue knows none"),
        ("region in JP; region in US", "'region in US' can never hold together with those before it"),
        ("region in JP", "'region in JP' can never hold together with the policies above it"),
    ],
)
def test_policy_that_can_never_match_is_refused_by_clause(text: str, told: str) -> None:
    above = [parse_policy("region in CN"), Policy()]
    with pytest.raises(InvalidInput) as refused:
        check_policy(parse_policy(text), above, CHIPS)
    assert told in refused.value.outside
    assert refused.value.field == "policy"


def test_policy_that_can_match_passes_and_an_empty_one_always() -> None:
    check_policy(parse_policy("region in CN-SX; vendor in Huawei"), [parse_policy("region in CN")], CHIPS)
    check_policy(Policy(), [parse_policy("region in CN"), parse_policy("region in JP")], {})


def test_policy_that_grows_past_its_limit_when_it_is_settled_is_refused() -> None:
    text = "region in " + ",".join(["CN"] * 600)
    assert len(text) <= POLICY_CHARACTERS_MAX < len(str(parse_policy(text)))
    with pytest.raises(InvalidInput, match="as stored"):
        check_policy(parse_policy(text), [], CHIPS)
