"""The challenges' part of the storage contract.

Kept apart from base.py for its length only; what is said there of scopes, errors and transactions holds here.
"""

from collections.abc import Sequence
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.challenge import Challenge, MeasuredDevice, VerifiedCapacity, Workload
from keisan.domain.ids import ChallengeId, ChallengeRoundId, DeploymentId, DeviceId, ServingChallengeId, SiteId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.serving_challenge import ServingChallenge
from keisan.storage.base_noun import Repository


class ChallengeRepository(Repository[Challenge, ChallengeId], Protocol):
    """Challenges, also those that were judged long ago; a provider sees those of its own sites. Organizations see none."""

    async def list_site(self, scope: Scope, site_id: SiteId, page: PageRequest) -> PageOf[Challenge]:
        """Return a page of a site's, in order of id."""
        ...

    async def list_round(self, scope: Scope, round_id: ChallengeRoundId) -> Sequence[Challenge]:
        """Return all of a round."""
        ...

    async def list_open(self, scope: Scope, site_id: SiteId) -> Sequence[Challenge]:
        """Return those of a site that are not judged."""
        ...

    async def list_device(self, scope: Scope, device_id: DeviceId, limit: int) -> Sequence[Challenge]:
        """Return the newest of a device, so many at most."""
        ...

    async def list_committed(self, scope: Scope, commitment: str) -> Sequence[Challenge]:
        """Return all that were answered with this commitment."""
        ...

    async def list_rates(self, scope: Scope, chip: str, workload: Workload) -> Sequence[tuple[DeviceId, int]]:
        """Return what devices of a chip reached last, of those whose last judged answer was right; at most a thousand."""
        ...

    async def list_measured(self, scope: Scope) -> Sequence[MeasuredDevice]:
        """Return what each device reached last in each workload, of those whose last proof was right."""
        ...

    async def sum_verified(self, scope: Scope) -> Sequence[VerifiedCapacity]:
        """Return what is verified, by site, chip and workload.

        Of each device its last judgement counts that proved something: ok or failed, never unknown.
        """
        ...


class ServingChallengeRepository(Repository[ServingChallenge, ServingChallengeId], Protocol):
    """Serving challenges, also those that were judged long ago; a provider sees those at its own sites. Organizations see none."""

    async def list_open(self, scope: Scope, deployment_id: DeploymentId) -> Sequence[ServingChallenge]:
        """Return those of a deployment that are not judged."""
        ...
