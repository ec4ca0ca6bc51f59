"""The way to the platform: the agent dials, the platform never does. Whatever fails becomes an error of the one tree."""

from typing import Self, TypeVar
from uuid import UUID

import httpx

from keisan.domain.errors import (
    KeisanError,
    LimitExceeded,
    NotFound,
    PermissionDenied,
    PlatformUnreachable,
    Refused,
    StateConflict,
    Unauthenticated,
)
from keisan.domain.frame import FrameOutcome
from keisan.domain.key import Secret
from keisan.kit.http import HttpTarget, open_async_client
from keisan.wire.arrow import ARROW_TYPE
from keisan.wire.base import WireInput, WireView
from keisan.wire.challenge import ChallengeAnswer, ChallengeCommit, ChallengeOpening, ChallengeTaken
from keisan.wire.machine import MachineJoin, MachineView
from keisan.wire.site import SiteOrders, SiteReport
from keisan.wire.telemetry import FrameAnswer, InventoryAnswer

View = TypeVar("View", bound=WireView)
DETAIL_CHARACTERS_MAX = 300


class PlatformLink:
    """The requests an agent makes, as the machine that owns `secret`. Close it after use."""

    def __init__(self, platform_url: str, secret: Secret, ca_path: str | None) -> None:
        self._client = open_async_client(HttpTarget(base_url=platform_url, bearer=secret.reveal(), ca_path=ca_path))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def join(self, body: MachineJoin) -> MachineView:
        """Join; the same token and digest give the same machine again.

        Raises PlatformUnreachable when it may be tried again, else Unauthenticated, PermissionDenied, NotFound, or Refused:
        LimitExceeded for what is too large.
        """
        return await self._post("/api/v1/machines/join", body, MachineView)

    async def report(self, body: SiteReport) -> SiteOrders:
        """Send a report and return the orders; raises as `join` does."""
        return await self._post("/api/v1/site/report", body, SiteOrders)

    async def send_inventory(self, body: bytes) -> None:
        """Tell the site's inventory; raises as `join` does, StateConflict for one that takes back what was told."""
        await self._post_bytes("/api/v1/site/inventory", (body, ARROW_TYPE), InventoryAnswer)

    async def send_frame(self, body: bytes) -> FrameOutcome:
        """Hand in a frame; raises as `join` does, StateConflict if the platform does not know the inventory it counts by."""
        return (await self._post_bytes("/api/v1/site/frame", (body, ARROW_TYPE), FrameAnswer)).outcome

    async def commit_challenge(self, challenge_id: UUID, body: ChallengeCommit) -> ChallengeOpening:
        """Commit to a result; the same again is answered the same. Raises as `join` does."""
        return await self._post(f"/api/v1/site/challenges/{challenge_id}/commit", body, ChallengeOpening)

    async def answer_challenge(self, challenge_id: UUID, body: ChallengeAnswer) -> ChallengeTaken:
        """Open the parts that were asked for; raises as `join` does."""
        return await self._post(f"/api/v1/site/challenges/{challenge_id}/answer", body, ChallengeTaken)

    async def _post(self, path: str, body: WireInput, kind: type[View]) -> View:
        return await self._post_bytes(path, (body.model_dump_json().encode(), "application/json"), kind)

    async def _post_bytes(self, path: str, content: tuple[bytes, str], kind: type[View]) -> View:
        return await post_bytes(self._client, path, content, kind)


async def post_bytes(
    client: httpx.AsyncClient, path: str, content: tuple[bytes, str], kind: type[View], whom: str = "the platform"
) -> View:
    """Post a body of a media type to `whom` and return the answer; raises as `PlatformLink.join` does."""
    try:
        answer = await client.post(path, content=content[0], headers={"content-type": content[1]})
    except httpx.HTTPError as failure:
        raise PlatformUnreachable(f"{whom} does not answer", str(failure) or type(failure).__name__) from failure
    if not answer.is_success:
        raise read_problem(answer, whom)
    try:
        return kind.model_validate_json(answer.content)
    except ValueError as failure:
        raise PlatformUnreachable(f"{whom}'s answer is not understood", str(failure)) from failure


def read_problem(answer: httpx.Response, whom: str = "the platform") -> KeisanError:
    """Return the error that an answer of `whom` with a failing status means."""
    text = f"{answer.status_code}: {_read_detail(answer)}"
    if answer.is_server_error or answer.status_code in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS):
        return PlatformUnreachable(f"{whom} cannot answer now", text)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return Unauthenticated(f"{whom} does not know this agent ({text})")
    if answer.status_code == httpx.codes.CONFLICT:
        return StateConflict(f"{whom} is in another state ({text})")
    if answer.status_code == httpx.codes.FORBIDDEN:
        return PermissionDenied(f"{whom} forbids it ({text})")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return NotFound(f"{whom} does not have it ({text})")
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return LimitExceeded(f"{whom} finds it too large ({text})")
    return Refused(f"{whom} refuses ({text})")


def _read_detail(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
    except ValueError:
        return answer.reason_phrase
    detail = problem.get("detail") or problem.get("title") if isinstance(problem, dict) else None
    return str(detail or answer.reason_phrase)[:DETAIL_CHARACTERS_MAX]
