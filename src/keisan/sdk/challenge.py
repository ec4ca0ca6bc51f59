"""Challenges of devices, and what they verified."""

from collections.abc import AsyncGenerator, Callable, Sequence
from uuid import UUID

from keisan.domain.challenge import ChallengeState
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.challenge import (
    ChallengesStarted,
    ChallengeStart,
    ChallengeView,
    VerifiedCapacityList,
)
from keisan.wire.page import Page

CHALLENGE_POLL_S = 0.25
OnChange = Callable[[ChallengeView], None]


class AsyncChallenges:
    """Challenges within the key's scope: of a platform's sites, or of a provider's own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, site_id: UUID | None = None) -> AsyncGenerator[ChallengeView, None]:
        """Iterate over all, or a site's, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[ChallengeView], "/challenges", {"site_id": site_id})

    async def get(self, challenge_id: UUID) -> ChallengeView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ChallengeView, f"/challenges/{challenge_id}")

    async def start(self, body: ChallengeStart) -> ChallengesStarted:
        """Challenge all devices of a site; raises StateConflict if none of its nodes can be challenged now."""
        return await self._transport.write(ChallengesStarted, "POST", "/challenges", body)

    async def list_verified(self) -> VerifiedCapacityList:
        """Return what is verified, by site, chip and workload."""
        return await self._transport.fetch(VerifiedCapacityList, "/challenges/verified")

    async def wait_judged(
        self, challenge_ids: Sequence[UUID], on_change: OnChange | None = None
    ) -> tuple[ChallengeView, ...]:
        """Return once all are judged, which they are after their deadline at the latest; `on_change` is told of each step."""
        told: dict[UUID, ChallengeView] = {}
        while True:
            for challenge_id in challenge_ids:
                known = told.get(challenge_id)
                if known is not None and known.state is ChallengeState.JUDGED:
                    continue
                seen = await self.get(challenge_id)
                if on_change is not None and (known is None or known.state is not seen.state):
                    on_change(seen)
                told[challenge_id] = seen
            if all(seen.state is ChallengeState.JUDGED for seen in told.values()):
                return tuple(told.values())
            await self._transport.clock.sleep(CHALLENGE_POLL_S)


class Challenges(Blocking[AsyncChallenges]):
    """Challenges within the key's scope: of a platform's sites, or of a provider's own."""

    list = iterate(AsyncChallenges.list)
    get = wait_for(AsyncChallenges.get)
    start = wait_for(AsyncChallenges.start)
    list_verified = wait_for(AsyncChallenges.list_verified)
    wait_judged = wait_for(AsyncChallenges.wait_judged)
