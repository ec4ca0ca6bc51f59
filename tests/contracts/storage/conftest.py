"""Storage on both databases, for every test that asks for `storage`; what crosses links also in memory (`links`)."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import pytest

from keisan.storage.base_link import (
    IncomingLogRepository,
    OutgoingLogRepository,
    RefusedLetterRepository,
    RegisterRepository,
)

# pytest finds a fixture by its name in this module.
from tests.databases import (  # noqa: F401  # fixtures
    POSTGRESQL,
    clock,
    empty_storage,
    migrated_file,
    postgresql_storage,
    shared_postgresql,
    sqlite_storage,
    storage,
)
from tests.factories import FixedClock
from tests.simulation.federation.memory_link import MemoryLinks


class LinkTransaction(Protocol):
    """The part of a transaction that is about links."""

    outgoing_logs: OutgoingLogRepository
    incoming_logs: IncomingLogRepository
    registers: RegisterRepository
    refused_letters: RefusedLetterRepository


class LinkStorage(Protocol):
    """The part of storage that is about links."""

    def read(self) -> AbstractAsyncContextManager[LinkTransaction]: ...
    def write(self) -> AbstractAsyncContextManager[LinkTransaction]: ...


@pytest.fixture
def memory_links(clock: FixedClock) -> MemoryLinks:  # noqa: F811  # the fixture of that name
    """What simulations keep of links."""
    return MemoryLinks(clock)


@pytest.fixture(
    params=["sqlite_storage", pytest.param("postgresql_storage", marks=pytest.mark.postgresql), "memory_links"]
)
def links(request: pytest.FixtureRequest) -> LinkStorage:
    """Storage of what crosses links."""
    found: LinkStorage = request.getfixturevalue(request.param)
    return found
