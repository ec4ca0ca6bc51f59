"""The decision: one device for one copy, or the reasons why there is none. Values in, values out; no clock, no I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from keisan.domain.ids import DeviceId
from keisan.placement.candidate import Candidate, Request
from keisan.placement.filter import FILTERS
from keisan.placement.score import score_candidate


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one device was not taken."""

    device_id: DeviceId
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The chosen devices, one for each copy that could be placed, and the refusals met when one could not."""

    chosen: tuple[Candidate, ...]
    refusals: tuple[Refusal, ...]

    def explain(self) -> str:
        """Return the refusals in one line, each reason once with the number of devices it held for."""
        if not self.refusals:
            return ""
        reasons = [refusal.reason for refusal in self.refusals]
        counted = [f"{reason} (x{reasons.count(reason)})" for reason in dict.fromkeys(reasons)]
        return "; ".join(counted)


def refuse(request: Request, candidate: Candidate) -> str | None:
    """Return the first filter's reason against a candidate, or None."""
    for check in FILTERS:
        reason = check(request, candidate)
        if reason is not None:
            return reason
    return None


def place_copies(request: Request, count: int, candidates: Sequence[Candidate]) -> Decision:
    """Choose a device for each of `count` copies, one after the other, each seeing what the earlier ones took."""
    left = {candidate.device_id: candidate for candidate in candidates}
    chosen: list[Candidate] = []
    for _ in range(count):
        fitting = [candidate for candidate in left.values() if refuse(request, candidate) is None]
        if not fitting:
            return Decision(tuple(chosen), _collect_refusals(request, left.values()))
        best = max(fitting, key=lambda candidate: score_candidate(request, candidate))
        chosen.append(best)
        left[best.device_id] = replace(
            best,
            memory_free_bytes=best.memory_free_bytes - request.memory_bytes,
            replica_count=best.replica_count + 1,
        )
    return Decision(tuple(chosen), ())


def _collect_refusals(request: Request, candidates: Iterable[Candidate]) -> tuple[Refusal, ...]:
    judged = ((candidate, refuse(request, candidate)) for candidate in candidates)
    return tuple(Refusal(candidate.device_id, reason) for candidate, reason in judged if reason is not None)
