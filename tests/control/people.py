"""Keys of every role in the planted world, as the principals that commands are given."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from keisan.control.context import Control
from keisan.domain.access import PlatformScope, Principal, Role
from keisan.domain.event import Event
from keisan.domain.ids import ProviderId
from keisan.domain.lease import Lease
from keisan.domain.project import Project
from tests.factories import create_key

EVERYTHING = PlatformScope()


async def add_key(
    control: Control,
    project: Project,
    role: Role,
    provider_id: ProviderId | None = None,
    models: tuple[str, ...] | None = None,
) -> Principal:
    """Store a key and return who stands behind it."""
    key = replace(create_key(project), role=role, provider_id=provider_id, models=models)
    async with control.storage.write() as transaction:
        await transaction.keys.insert(key)
    return key.to_principal()


async def list_events(control: Control) -> list[Event]:
    """Return all events, oldest first."""
    async with control.storage.read() as view:
        return list(await view.events.list(EVERYTHING, 0, 500))


async def count_actions(control: Control) -> Counter[str]:
    """Return how many events there are of each action."""
    return Counter(event.action for event in await list_events(control))


async def get_version(control: Control) -> int:
    """Return the snapshot's version."""
    async with control.storage.read() as view:
        return (await view.snapshot.get_mark()).version


async def list_touched(control: Control, after_version: int) -> set[tuple[str, str]]:
    """Return the tables and row ids that the snapshot changed in after a version."""
    async with control.storage.read() as view:
        changes = await view.snapshot.list_changes(after_version)
    return {(change.table.value, str(change.row_id)) for change in changes or ()}


async def take_work(control: Control) -> list[Lease]:
    """Take all work that is due, so that what comes later stands alone."""
    async with control.storage.write() as transaction:
        return list(await transaction.outbox.take(control.clock.now(), timedelta(seconds=30), 100))
