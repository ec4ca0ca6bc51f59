"""The part of the storage contract (base.py) that says what neighbours have: links to them, and invitations for children.

Both are nouns as base_noun.py has them, and the platform's own: in any other scope there are none.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from keisan.domain.access import Scope
from keisan.domain.ids import InvitationId, LinkId, PlatformId
from keisan.domain.link import Invitation, Link, LinkState
from keisan.storage.base_noun import Repository


class LinkRepository(Repository[Link, LinkId], Protocol):
    """Links to neighbours, those that ended too."""

    async def list_states(self, scope: Scope, states: Iterable[LinkState]) -> Sequence[Link]:
        """Return all links in one of these states, in order of id."""
        ...

    async def list_neighbour(self, scope: Scope, neighbour_id: PlatformId) -> Sequence[Link]:
        """Return all links there ever were to a platform, in order of id."""
        ...

    async def note_heard(self, link_id: LinkId, heard_at: datetime, offset_ms: int | None) -> None:
        """Note when the neighbour spoke, and how far its clock is ahead if that was measured: the one way to write both."""
        ...


class InvitationRepository(Protocol):
    """Invitations of platforms that may ask to join."""

    async def find(self, scope: Scope, invitation_id: InvitationId) -> Invitation | None: ...
    async def insert(self, invitation: Invitation) -> None: ...
    async def use(self, invitation_id: InvitationId, platform_id: PlatformId) -> None:
        """Mark it as used; raises StateConflict if another platform has used it, NotFound if there is none."""
        ...
