"""A valid challenge, varied by keyword, and times in a round."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from keisan.domain.challenge import Challenge, ChallengeState, ChallengeWork, Workload
from keisan.domain.ids import ChallengeId, ChallengeRoundId, DeviceId, NodeId, SiteId
from keisan.domain.verdict import Verdict
from tests.domain.samples import NOW, PLATFORM_ID, name_id


def build_challenge(**changes: Any) -> Challenge:
    """Return a planned challenge of products in fp32, against a claim."""
    work = ChallengeWork(Workload.FP32, 1024, 8, "5eed")
    challenge = Challenge(
        id=ChallengeId(name_id(21)),
        platform_id=PLATFORM_ID,
        round_id=ChallengeRoundId(name_id(22)),
        site_id=SiteId(name_id(6)),
        node_id=NodeId(name_id(7)),
        device_id=DeviceId(name_id(8)),
        hardware_id="GPU-1",
        chip="cpu-x86-64",
        work=work,
        claim_per_s=20_000_000_000,
        asked_by=None,
        state=ChallengeState.PLANNED,
        issued_at=None,
        due_at=NOW + timedelta(seconds=60),
        commitment="",
        positions=(),
        committed_at=None,
        answered_at=None,
        told_us=None,
        message="",
        verdict=Verdict.UNKNOWN,
        flags=(),
        rate_per_s=None,
        peers=None,
        judged_at=None,
        version=1,
        created_at=NOW,
    )
    return replace(challenge, **changes)


def build_answered(number: int, elapsed_s: float, **changes: Any) -> Challenge:
    """Return the challenge of a device that answered right after so many seconds."""
    return build_challenge(
        **{
            "id": ChallengeId(name_id(21, number)),
            "device_id": DeviceId(name_id(8, number)),
            "state": ChallengeState.ANSWERED,
            "issued_at": NOW,
            "committed_at": NOW + timedelta(seconds=elapsed_s),
            "commitment": f"{number:064x}",
            "positions": (1, 2),
            "told_us": round(elapsed_s * 1e6),
            "version": 4,
        }
        | changes
    )
