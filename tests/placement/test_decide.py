"""The decision: never past a filter, never more memory than free, the same from the same values, all refusals told."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.device import DeviceUse
from keisan.domain.verdict import Verdict
from keisan.placement.candidate import Candidate, Request
from keisan.placement.decide import Decision, place_copies, refuse
from tests.placement.nodes import CANDIDATES, REQUEST, REQUESTS, build_candidate

COUNTS = st.integers(min_value=0, max_value=10)


@given(request=REQUESTS, count=COUNTS, candidates=CANDIDATES)
def test_chosen_nodes_keep_every_rule_as_they_stood(request: Request, count: int, candidates: list[Candidate]) -> None:
    offered = {candidate.node_id: candidate for candidate in candidates}
    for chosen in place_copies(request, count, candidates).chosen:
        node = offered[chosen.node_id]
        # Written out, not asked of FILTERS: a filter that is missing from that list must be missed here.
        assert request.site_id in {None, node.site_id}
        assert (node.site_verdict, node.device_verdict) == (Verdict.OK, Verdict.OK)
        assert node.device_use is DeviceUse.OPEN
        assert request.engine != "llama_cpp" or node.chip.startswith("cpu-")
        assert request.engine in node.engines
        assert request.memory_bytes <= node.memory_free_bytes


@given(request=REQUESTS, count=COUNTS, candidates=CANDIDATES)
def test_no_node_is_filled_beyond_its_memory(request: Request, count: int, candidates: list[Candidate]) -> None:
    copies = Counter(chosen.node_id for chosen in place_copies(request, count, candidates).chosen)
    for candidate in candidates:
        if copies[candidate.node_id]:
            assert copies[candidate.node_id] * request.memory_bytes <= candidate.memory_free_bytes


@given(request=REQUESTS, count=COUNTS, candidates=CANDIDATES, order=st.randoms(use_true_random=False))
def test_decision_follows_from_the_values_and_not_from_their_order(
    request: Request, count: int, candidates: list[Candidate], order: Random
) -> None:
    shuffled = list(candidates)
    order.shuffle(shuffled)
    first, second = place_copies(request, count, candidates), place_copies(request, count, shuffled)
    assert first.chosen == second.chosen
    assert set(first.refusals) == set(second.refusals)


@given(request=REQUESTS, count=COUNTS, candidates=CANDIDATES)
def test_as_many_are_placed_as_fit_or_every_node_says_why_not(
    request: Request, count: int, candidates: list[Candidate]
) -> None:
    decision = place_copies(request, count, candidates)
    if len(decision.chosen) == count:
        assert decision.refusals == ()
        return
    assert len(decision.chosen) < count
    assert {refusal.device_id for refusal in decision.refusals} == {candidate.device_id for candidate in candidates}
    assert all(refusal.reason and refusal.reason in decision.explain() for refusal in decision.refusals)
    # Nothing that would have fitted is left: what is free after the choice holds no further copy.
    copies = Counter(chosen.node_id for chosen in decision.chosen)
    for candidate in candidates:
        free_bytes = candidate.memory_free_bytes - copies[candidate.node_id] * request.memory_bytes
        fits = free_bytes >= request.memory_bytes
        assert not fits or refuse(request, candidate) is not None


@given(request=REQUESTS, count=COUNTS, candidates=CANDIDATES)
def test_more_copies_begin_with_the_same_nodes(request: Request, count: int, candidates: list[Candidate]) -> None:
    fewer = [chosen.node_id for chosen in place_copies(request, count, candidates).chosen]
    more = [chosen.node_id for chosen in place_copies(request, count + 1, candidates).chosen]
    assert more[: len(fewer)] == fewer


def test_copies_are_spread_before_they_are_stacked() -> None:
    nodes = [build_candidate(number) for number in (1, 2, 3)]
    chosen = [one.node_id for one in place_copies(REQUEST, 6, nodes).chosen]
    assert set(chosen[:3]) == set(chosen[3:]) == {node.node_id for node in nodes}


def test_first_filter_gives_the_reason() -> None:
    candidate = build_candidate(site_verdict=Verdict.UNKNOWN, memory_free_bytes=0)
    assert refuse(REQUEST, candidate) == "the site is unknown"


def test_reasons_are_counted_in_one_line() -> None:
    nodes = [
        build_candidate(1, engines=frozenset()),
        build_candidate(2, site_verdict=Verdict.UNKNOWN),
        build_candidate(3, engines=frozenset()),
    ]
    decision = place_copies(REQUEST, 1, nodes)
    assert decision.explain() == "the site has no engine 'llama_cpp' (x2); the site is unknown (x1)"


def test_nothing_to_explain_without_refusals() -> None:
    assert Decision((), ()).explain() == ""
    assert place_copies(REQUEST, 1, []) == Decision((), ())
