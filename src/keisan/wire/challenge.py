"""Challenges on the wire: what people start and see, and the exchange with a site's agent: order, commitment, opening."""

import base64
import binascii
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from keisan.domain.challenge import ChallengeFlag, ChallengeState, Workload
from keisan.domain.limits import (
    CHALLENGE_LEAF_CHARACTERS_MAX,
    CHALLENGE_MESSAGE_CHARACTERS_MAX,
    CHALLENGE_PATH_MAX,
    CHALLENGE_POSITIONS,
)
from keisan.domain.verdict import Verdict
from keisan.wire.base import INTEGER_MAX, Count, ForeignText, WireInput, WireView
from keisan.wire.page import ListQuery

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Base64 = Annotated[str, StringConstraints(max_length=CHALLENGE_LEAF_CHARACTERS_MAX, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]


class ChallengeQuery(ListQuery):
    """Which page of challenges, of one site if it is named."""

    site_id: UUID | None = None


class ChallengeStart(WireInput):
    """Challenge all devices of a site's nodes, each node's at once.

    `claim_per_s` is what each device is said to do, in operations or bytes per second; left out, the chip's nominal figure.
    Nodes with replicas are left alone unless `may_disturb`.
    """

    site_id: UUID
    workload: Workload = Workload.FP32
    claim_per_s: Annotated[int, Field(ge=1, le=INTEGER_MAX)] | None = None
    may_disturb: bool = False


class ChallengeWorkView(WireView):
    """What is computed from a seed, which is empty until the work is ordered; see docs/how-to/verify-capacity.md."""

    workload: Workload
    width: int
    count: int
    seed: str


class PeersView(WireView):
    """What other devices of the same chip reached."""

    count: int
    median_per_s: int
    spread_per_s: int


class ChallengeView(WireView):
    """A challenge as the API shows it. `rate_per_s` is by the platform's own time, `told_us` what the agent says it took."""

    id: UUID
    platform_id: str
    round_id: UUID
    site_id: UUID
    node_id: UUID
    device_id: UUID
    hardware_id: str
    chip: str
    work: ChallengeWorkView
    claim_per_s: int | None
    asked_by: UUID | None
    state: ChallengeState
    issued_at: datetime | None
    due_at: datetime
    committed_at: datetime | None
    answered_at: datetime | None
    told_us: int | None
    message: str
    verdict: Verdict
    flags: tuple[ChallengeFlag, ...]
    rate_per_s: int | None
    peers: PeersView | None
    judged_at: datetime | None
    version: int
    created_at: datetime


class ChallengesStarted(WireView):
    """The challenges of all rounds that were started, one round a node."""

    challenges: tuple[ChallengeView, ...]


class VerifiedCapacityView(WireView):
    """What the last challenges of a site's devices of one chip proved; sums over the `verified_count` that did as claimed."""

    site_id: UUID
    chip: str
    workload: Workload
    device_count: int
    verified_count: int
    rate_mega_per_s: int
    claim_mega_per_s: int | None
    oldest_at: datetime
    newest_at: datetime


class VerifiedCapacityList(WireView):
    """One item per site, chip and workload."""

    items: tuple[VerifiedCapacityView, ...]


class ChallengeOrder(WireView):
    """Work for one device, to be begun at once; said again with each report until it is committed to.

    After `due_s` from now no answer is taken.
    """

    challenge_id: UUID
    hardware_id: str
    workload: Workload
    width: int
    count: int
    seed: str
    due_s: float


class ChallengeCommit(WireInput):
    """The root over the whole result; None if the work cannot be done here, with the reason as `message`."""

    commitment: Digest | None
    told_us: Count
    message: Annotated[ForeignText, Field(max_length=CHALLENGE_MESSAGE_CHARACTERS_MAX)] = ""


class ChallengeOpening(WireView):
    """Which parts of the result are wanted; none after a refusal."""

    positions: tuple[int, ...]


class ChallengeLeaf(WireInput):
    """One part of the result, and the path from it to the root."""

    content: Base64
    path: Annotated[tuple[Digest, ...], Field(max_length=CHALLENGE_PATH_MAX)]

    def decode(self) -> bytes:
        """Return the part itself, empty if what was sent is no base64 after all."""
        try:
            return base64.b64decode(self.content, validate=True)
        except binascii.Error:
            return b""


class ChallengeAnswer(WireInput):
    """The wanted parts, in the order in which they were asked for."""

    leaves: Annotated[tuple[ChallengeLeaf, ...], Field(max_length=CHALLENGE_POSITIONS)]


class ChallengeTaken(WireView):
    """That the answer was taken; what came of it is the platform's to know."""

    state: ChallengeState
