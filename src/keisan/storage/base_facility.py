"""The part of the storage contract (base.py) that says what facilities have: their records, claims and surveys.

Records and claims are nouns as base_noun.py has them; a provider sees those of its own sites, an organization sees none.
Surveys are public on the platform.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.claim import Claim
from keisan.domain.facility import Facility, FacilityFilter
from keisan.domain.ids import ClaimId, FacilityId, SiteId, SurveyId
from keisan.domain.page import PageOf, PageRequest
from keisan.domain.survey import SurveyLine
from keisan.storage.base_noun import Repository


class FacilityRepository(Repository[Facility, FacilityId], Protocol):
    """Records of facilities; `insert` raises AlreadyExists when the site has one of that day."""

    async def list_filtered(self, scope: Scope, wanted: FacilityFilter, page: PageRequest) -> PageOf[Facility]:
        """Return a page of those that are wanted, in order of id."""
        ...

    async def list_between(self, scope: Scope, wanted: FacilityFilter) -> Sequence[Facility]:
        """Return all that are wanted, in order of day and site: how facilities developed over time."""
        ...

    async def list_days(
        self, scope: Scope, pairs: Iterable[tuple[SiteId, date]]
    ) -> Mapping[tuple[SiteId, date], Facility]:
        """Return the records of these sites and days, as far as there are."""
        ...

    async def find_latest(self, scope: Scope, site_id: SiteId) -> Facility | None: ...


class ClaimRepository(Repository[Claim, ClaimId], Protocol):
    """Claims; `insert` raises AlreadyExists when the site has one of that chip."""

    async def list_all(self, scope: Scope) -> Sequence[Claim]: ...
    async def list_chips(self, scope: Scope, pairs: Iterable[tuple[SiteId, str]]) -> Mapping[tuple[SiteId, str], Claim]:
        """Return the claims of these sites and chips, as far as there are."""
        ...

    async def delete(self, claim: Claim) -> None:
        """Delete a claim; raises VersionMismatch unless the stored version is this one's."""
        ...


class SurveyRepository(Protocol):
    """Lines of surveys; `get` raises NotFound, `list` orders by id."""

    async def get(self, scope: Scope, line_id: SurveyId) -> SurveyLine: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[SurveyLine]: ...
    async def list_all(self, scope: Scope) -> Sequence[SurveyLine]: ...
    async def list_survey(self, scope: Scope, source: str, day: date) -> Sequence[SurveyLine]:
        """Return a survey's lines in order of their place."""
        ...

    async def insert(self, line: SurveyLine) -> None: ...
    async def delete_survey(self, source: str, day: date) -> int:
        """Delete a survey's lines and return how many there were."""
        ...
