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
        self, started: Sequence[ChallengeView], on_change: OnChange = lambda _: None
    ) -> tuple[ChallengeView, ...]:
        """Return once all are judged, which they are after their deadline at the latest.

        `on_change` is told of each as given, and then of each state it is seen in.
        """
        seen = {each.id: each for each in started}
        for each in started:
            on_change(each)
        while pending := [each for each in seen.values() if each.state is not ChallengeState.JUDGED]:
            await self._transport.clock.sleep(CHALLENGE_POLL_S)
            for known in pending:
                seen[known.id] = await self.get(known.id)
                if seen[known.id].state is not known.state:
                    on_change(seen[known.id])
        return tuple(seen.values())


class Challenges(Blocking[AsyncChallenges]):
    """Challenges within the key's scope: of a platform's sites, or of a provider's own."""

    list = iterate(AsyncChallenges.list)
    get = wait_for(AsyncChallenges.get)
    start = wait_for(AsyncChallenges.start)
    list_verified = wait_for(AsyncChallenges.list_verified)
    wait_judged = wait_for(AsyncChallenges.wait_judged)
