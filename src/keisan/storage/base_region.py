"""The storage contract for what a platform remembers of those below it: who reported which site first, how far exchanges are.

What they told is in registers; here is only what no later letter may change: when this platform noticed. It is the platform's own.
"""

from collections.abc import Sequence
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.exchange import ExchangeMark
from keisan.domain.site_report import SiteReport


class SiteReportRepository(Protocol):
    """Which platform reports which site, since when, and since when with proof. Nothing goes."""

    async def list_all(self, scope: Scope) -> Sequence[SiteReport]:
        """Return all, in order of site and reporter."""
        ...

    async def put(self, report: SiteReport) -> None:
        """Keep a report. Of one that is kept the instant of its proof is noted, if it has none; else it stays as it is."""
        ...


class ExchangeRepository(Protocol):
    """Since when each exchange with each platform has been in its state."""

    async def list_all(self, scope: Scope) -> Sequence[ExchangeMark]:
        """Return all, in order of platform and exchange."""
        ...

    async def put(self, mark: ExchangeMark) -> None:
        """Keep a mark in place of the one before."""
        ...
