"""Rounds of challenges: judged together when all devices have answered, or when the deadline is over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from keisan.control.context import CONTROL_ACTOR
from keisan.domain.access import PlatformScope
from keisan.domain.challenge import Challenge, ChallengeState
from keisan.domain.challenge_rule import ChallengeTerms, RoundFacts, find_end, is_round_over, judge_round
from keisan.domain.event import EventDraft
from keisan.domain.ids import ChallengeId, ChallengeRoundId
from keisan.storage.base import Transaction

EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class RoundState:
    """A round that is not judged, when its site last spoke, and what other devices of the same chips reached."""

    challenges: tuple[Challenge, ...]
    heard_at: datetime | None
    peers_per_s: dict[ChallengeId, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class RoundChange:
    """The judged challenges, none if the round goes on until `due_again_at`."""

    judged: tuple[Challenge, ...]
    due_again_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChallengeReconciler:
    """Judges by these terms."""

    terms: ChallengeTerms

    async def load(self, transaction: Transaction, noun_id: UUID) -> RoundState | None:
        """Return the round, None if there is none or it was judged."""
        found = tuple(await transaction.challenges.list_round(EVERYTHING, ChallengeRoundId(noun_id)))
        if not found or all(each.state is ChallengeState.JUDGED for each in found):
            return None
        site = await transaction.sites.get(EVERYTHING, found[0].site_id)
        own = {each.device_id for each in found}
        peers: dict[str, tuple[int, ...]] = {}
        for chip in sorted({each.chip for each in found}):
            rates = await transaction.challenges.list_rates(EVERYTHING, chip, found[0].work.workload)
            peers[chip] = tuple(rate_per_s for device_id, rate_per_s in rates if device_id not in own)
        return RoundState(found, site.reported_at, {each.id: peers[each.chip] for each in found})

    def decide(self, state: RoundState, now: datetime) -> RoundChange:
        """Judge the round if it is over, else wait for the last deadline."""
        if not is_round_over(state.challenges, now):
            # One that is checked is waited for no more.
            open_ones = [each for each in state.challenges if each.state is not ChallengeState.ANSWERED]
            return RoundChange((), max(find_end(each) for each in open_ones))
        facts = RoundFacts(now, state.heard_at, state.peers_per_s)
        return RoundChange(judge_round(state.challenges, facts, self.terms), None)

    async def apply(self, transaction: Transaction, change: RoundChange, now: datetime) -> datetime | None:  # noqa: ARG002  # the contract's
        """Write the judgement, with one event for the round."""
        for each in change.judged:
            await transaction.challenges.update(each)
        if change.judged:
            await transaction.events.append(_describe(change.judged))
        return change.due_again_at


def _describe(judged: tuple[Challenge, ...]) -> EventDraft:
    verdicts = sorted(str(each.verdict) for each in judged)
    counts = {f"{verdict}_count": str(verdicts.count(verdict)) for verdict in verdicts}
    flags = sorted({str(flag) for each in judged for flag in each.flags})
    told = {"site_id": str(judged[0].site_id), "workload": str(judged[0].work.workload), "flags": ",".join(flags)}
    return EventDraft(CONTROL_ACTOR, "challenge.judged", judged[0].round_id, told | counts)
