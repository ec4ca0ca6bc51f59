"""Challenges of deployments by calls through a gateway, and what they proved."""

from collections.abc import AsyncGenerator, Callable
from uuid import UUID

from keisan.domain.serving_challenge import ServingState
from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.page import Page
from keisan.wire.serving_challenge import ServingChallengeStart, ServingChallengeView

POLL_S = 0.5
OnChange = Callable[[ServingChallengeView], None]


class AsyncServingChallenges:
    """Serving challenges within the key's scope: of a platform's sites, or of a provider's own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[ServingChallengeView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[ServingChallengeView], "/serving-challenges")

    async def get(self, serving_challenge_id: UUID) -> ServingChallengeView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(ServingChallengeView, f"/serving-challenges/{serving_challenge_id}")

    async def start(self, body: ServingChallengeStart) -> ServingChallengeView:
        """Challenge a deployment at a site, paid by a project; raises StateConflict if nothing can be served now."""
        return await self._transport.write(ServingChallengeView, "POST", "/serving-challenges", body)

    async def wait_judged(
        self, started: ServingChallengeView, on_change: OnChange = lambda _: None
    ) -> ServingChallengeView:
        """Return once it is judged, which it is after its deadline at the latest.

        `on_change` is told of it as given, and then of each version that is seen.
        """
        seen = started
        on_change(seen)
        while seen.state is not ServingState.JUDGED:
            await self._transport.clock.sleep(POLL_S)
            known, seen = seen, await self.get(started.id)
            if seen.version != known.version:
                on_change(seen)
        return seen


class ServingChallenges(Blocking[AsyncServingChallenges]):
    """Serving challenges within the key's scope: of a platform's sites, or of a provider's own."""

    list = iterate(AsyncServingChallenges.list)
    get = wait_for(AsyncServingChallenges.get)
    start = wait_for(AsyncServingChallenges.start)
    wait_judged = wait_for(AsyncServingChallenges.wait_judged)
