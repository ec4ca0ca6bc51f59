"""Scores: among the devices that could take a copy, which one should."""

from keisan.placement.candidate import Candidate, Request


def score_candidate(request: Request, candidate: Candidate) -> tuple[int, int, str]:
    """Return a key whose greatest is best: fewest replicas, then most memory left, then the id, so that ties are settled."""
    return (-candidate.replica_count, candidate.memory_free_bytes - request.memory_bytes, str(candidate.device_id))
