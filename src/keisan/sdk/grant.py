"""Grants of a platform's capacity: what it granted to its parents, and what it would have of its children."""

from collections.abc import AsyncGenerator
from uuid import UUID

from keisan.sdk.blocking import Blocking, iterate, wait_for
from keisan.sdk.transport import Transport
from keisan.wire.base import explain_refusal
from keisan.wire.grant import (
    GrantAsk,
    GrantEnd,
    GrantTermsUpdate,
    GrantTermsView,
    GrantView,
    WantView,
    WorkUpdate,
)
from keisan.wire.page import Page


class AsyncGrants:
    """What this platform, as a child, granted to its parents. Only an operator sees it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[GrantView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[GrantView], "/grants")

    async def get(self, grant_id: UUID) -> GrantView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(GrantView, f"/grants/{grant_id}")

    async def approve(self, grant_id: UUID) -> GrantView:
        """Issue one that was proposed.

        Raises NotFound, StateConflict if it is not proposed, its time is over, or too few devices are free.
        """
        return await self._transport.write(GrantView, "POST", f"/grants/{grant_id}/approve")

    async def refuse(self, grant_id: UUID, reason: str) -> GrantView:
        """Refuse one that was proposed; raises as approve does."""
        return await self._end(grant_id, "refuse", reason)

    async def end(self, grant_id: UUID, reason: str) -> GrantView:
        """End one that is issued or held: what runs under it is stopped. Raises as approve does."""
        return await self._end(grant_id, "end", reason)

    async def get_terms(self) -> GrantTermsView:
        """Return the platform's epoch and policy; raises NotFound before it has joined another."""
        return await self._transport.fetch(GrantTermsView, "/grant-terms")

    async def update_terms(self, terms: GrantTermsView, automatic_count: int) -> GrantTermsView:
        """Change up to how many devices in all are granted without a person; raises VersionMismatch if that changed meanwhile."""
        with explain_refusal():
            body = GrantTermsUpdate(automatic_count=automatic_count)
        return await self._transport.write(GrantTermsView, "PATCH", "/grant-terms", body, version=terms.version)

    async def _end(self, grant_id: UUID, verb: str, reason: str) -> GrantView:
        with explain_refusal():
            body = GrantEnd(reason=reason)
        return await self._transport.write(GrantView, "POST", f"/grants/{grant_id}/{verb}", body)


class AsyncGrantWants:
    """What this platform, as a parent, would have of its children. Only an operator sees it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> AsyncGenerator[WantView, None]:
        """Iterate over all, oldest first; pages are fetched as they are needed."""
        return self._transport.walk(Page[WantView], "/grant-wants")

    async def get(self, want_id: UUID) -> WantView:
        """Return one; raises NotFound outside the key's scope."""
        return await self._transport.fetch(WantView, f"/grant-wants/{want_id}")

    async def ask(self, body: GrantAsk) -> WantView:
        """Ask a child for capacity; its answer comes over the link."""
        return await self._transport.write(WantView, "POST", "/grant-wants", body)

    async def renew(self, want_id: UUID) -> WantView:
        """Ask once more before that is done by itself.

        Raises NotFound, StateConflict if it has ended, LimitExceeded where the child does not answer.
        """
        return await self._transport.write(WantView, "POST", f"/grant-wants/{want_id}/renew")

    async def end(self, want_id: UUID) -> WantView:
        """Want it no longer: the child stops what runs there. Raises NotFound, or StateConflict if it has ended."""
        return await self._transport.write(WantView, "POST", f"/grant-wants/{want_id}/end")

    async def set_work(self, want: WantView, body: WorkUpdate | None) -> WantView:
        """Say what is to run on what was granted, None for nothing.

        Raises VersionMismatch if it has changed since it was seen, StateConflict for new work where nothing is granted now.
        """
        path, verb = f"/grant-wants/{want.id}/run", "DELETE" if body is None else "PATCH"
        return await self._transport.write(WantView, verb, path, body, version=want.version)


class Grants(Blocking[AsyncGrants]):
    """What this platform, as a child, granted to its parents. Only an operator sees it."""

    list = iterate(AsyncGrants.list)
    get = wait_for(AsyncGrants.get)
    approve = wait_for(AsyncGrants.approve)
    refuse = wait_for(AsyncGrants.refuse)
    end = wait_for(AsyncGrants.end)
    get_terms = wait_for(AsyncGrants.get_terms)
    update_terms = wait_for(AsyncGrants.update_terms)


class GrantWants(Blocking[AsyncGrantWants]):
    """What this platform, as a parent, would have of its children. Only an operator sees it."""

    list = iterate(AsyncGrantWants.list)
    get = wait_for(AsyncGrantWants.get)
    ask = wait_for(AsyncGrantWants.ask)
    renew = wait_for(AsyncGrantWants.renew)
    end = wait_for(AsyncGrantWants.end)
    set_work = wait_for(AsyncGrantWants.set_work)
