"""What every noun's repository does: the part of the storage contract that nouns share."""

from typing import Protocol, TypeVar

from keisan.domain.access import Scope
from keisan.domain.page import PageOf, PageRequest

Noun = TypeVar("Noun")
NounId = TypeVar("NounId", contravariant=True)


class Repository(Protocol[Noun, NounId]):
    """What every noun's repository does.

    `get` raises NotFound, also for what lies outside the scope. `list` orders by id. `insert` raises AlreadyExists when
    a unique name or id is taken. `update` writes the row whose stored version is `noun.version - 1` and raises
    VersionMismatch otherwise.
    """

    async def get(self, scope: Scope, noun_id: NounId) -> Noun: ...
    async def list(self, scope: Scope, page: PageRequest) -> PageOf[Noun]: ...
    async def insert(self, noun: Noun) -> None: ...
    async def update(self, noun: Noun) -> None: ...
