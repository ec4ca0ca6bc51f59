"""The order among nodes that fit: fewest replicas, then most memory left, then the id."""

from keisan.placement.score import score_candidate
from tests.placement.nodes import REQUEST, build_candidate


def test_fewest_replicas_come_before_memory_before_id() -> None:
    best = build_candidate(1, replica_count=0, memory_free_bytes=900)
    ranked = [
        best,
        build_candidate(3, replica_count=0, memory_free_bytes=800),
        build_candidate(2, replica_count=0, memory_free_bytes=800),
        build_candidate(9, replica_count=1, memory_free_bytes=5000),
    ]
    assert sorted([*ranked[2:], *ranked[:2]], key=lambda one: score_candidate(REQUEST, one), reverse=True) == ranked


def test_no_two_nodes_are_equal() -> None:
    assert score_candidate(REQUEST, build_candidate(1)) != score_candidate(REQUEST, build_candidate(2))
