"""What routes work with: the platform's context, and who asks. Handed down in the request's scope, never global."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from keisan.control.capacity import CapacitySource
from keisan.control.context import Control
from keisan.control.development import Development
from keisan.control.history import History
from keisan.control.region import RegionWatch
from keisan.control.snapshot import SnapshotFeed
from keisan.control.telemetry import FleetWatch
from keisan.control.telemetry_stream import RollUpStreams
from keisan.domain.access import Principal, Right, Scope
from keisan.domain.catalog import Catalog
from keisan.domain.errors import InvariantBroken
from keisan.domain.key import Secret
from keisan.domain.limits import SCRAPES_AT_ONCE_MAX
from keisan.domain.supernode_template import SupernodeTemplate
from keisan.domain.ticket import CreditTerms
from keisan.storage.base import Transaction

CONTEXT_KEY = "keisan.context"
CALLER_KEY = "keisan.caller"


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Built once per process by daemon. `release` is keisan's own version, as /healthz shows it.

    `terms` are those on which gateways have credit. `capacity_sources` know of kinds of capacity that commands do not keep.
    `scrapes` lets so many be written at once: each takes a thread.
    """

    control: Control
    snapshots: SnapshotFeed
    fleet: FleetWatch
    release: str
    terms: CreditTerms = field(default_factory=CreditTerms)
    supernode_templates: tuple[SupernodeTemplate, ...] = ()
    capacity_sources: tuple[CapacitySource, ...] = ()
    history: History | None = None
    development: Development | None = None
    regions: RegionWatch | None = None
    streams: RollUpStreams = field(default_factory=RollUpStreams)
    scrapes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SCRAPES_AT_ONCE_MAX))

    def get_development(self) -> Development:
        """Return what keeps and draws development; raises InvariantBroken where daemon gave none."""
        if self.development is None:
            raise InvariantBroken("this process keeps no development")
        return self.development

    def get_regions(self) -> RegionWatch:
        """Return what is known of platforms below; raises InvariantBroken where daemon gave none."""
        if self.regions is None:
            raise InvariantBroken("this process knows no platforms below")
        return self.regions

    def get_history(self) -> History:
        """Return the history of the fleet; raises InvariantBroken where daemon gave none."""
        if self.history is None:
            raise InvariantBroken("this process keeps no history")
        return self.history


@dataclass(frozen=True, slots=True)
class Caller:
    """Who stands behind a request, with the secret presented, and the control to act through.

    With an idempotency key, the storage of `control` is the one transaction that the answer is kept in.
    """

    control: Control
    principal: Principal
    secret: Secret

    @property
    def scope(self) -> Scope:
        return self.principal.scope

    def read_catalog(self) -> Catalog:
        """Return the catalogue, which is everybody's; raises PermissionDenied without the right to read."""
        self.principal.require(Right.READ)
        return self.control.catalog

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Transaction]:
        """Open a read view; raises PermissionDenied without the right to read."""
        self.principal.require(Right.READ)
        async with self.control.storage.read() as view:
            yield view


def get_context(request: Request) -> ApiContext:
    """Return the process's context; raises InvariantBroken outside an app made by create_app."""
    context = request.scope.get(CONTEXT_KEY)
    if not isinstance(context, ApiContext):
        raise InvariantBroken("the request came past the edge")
    return context


def get_caller(request: Request) -> Caller:
    """Return who asks; raises InvariantBroken on a path that needs no authentication."""
    caller = request.scope.get(CALLER_KEY)
    if not isinstance(caller, Caller):
        raise InvariantBroken("the request came past authentication")
    return caller


ContextOf = Annotated[ApiContext, Depends(get_context)]
CallerOf = Annotated[Caller, Depends(get_caller)]
