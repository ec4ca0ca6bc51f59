"""The part of the storage contract (base.py) that keeps grants: a child's grants and terms, a parent's wants.

All of it is the platform's own: in any other scope there is nothing.
"""

from collections.abc import Sequence
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.grant import Grant, GrantTerms, GrantWant
from keisan.domain.ids import GrantId, GrantWantId, PlatformId
from keisan.storage.base_noun import Repository


class GrantRepository(Repository[Grant, GrantId], Protocol):
    """What this platform has granted to its parents."""

    async def find_last(self, scope: Scope, parent_id: PlatformId, want_id: GrantWantId) -> Grant | None:
        """Return the newest grant that answers a want of a parent."""
        ...

    async def list_holding(self, scope: Scope) -> Sequence[Grant]:
        """Return all grants that hold devices."""
        ...

    async def list_live(self, scope: Scope, parent_id: PlatformId) -> Sequence[Grant]:
        """Return a parent's grants that are not over: proposed, issued and held."""
        ...


class GrantTermsRepository(Protocol):
    """The terms of this platform: one row, from its first join on. Whoever locks it has the grant book to itself until commit."""

    async def find(self, scope: Scope, platform_id: PlatformId) -> GrantTerms | None: ...
    async def lock(self, platform_id: PlatformId) -> GrantTerms | None:
        """Return the terms, locked until commit; None before the first join."""
        ...

    async def insert(self, terms: GrantTerms) -> None:
        """Insert the terms; raises AlreadyExists if there are some."""
        ...

    async def update(self, terms: GrantTerms) -> None:
        """Write the terms; raises VersionMismatch unless the stored version is one less."""
        ...


class GrantWantRepository(Repository[GrantWant, GrantWantId], Protocol):
    """What this platform would have of its children."""

    async def list_child(self, scope: Scope, child_id: PlatformId) -> Sequence[GrantWant]:
        """Return all wants to a child, ended ones too."""
        ...
