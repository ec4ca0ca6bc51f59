"""Quarantined records on both databases: bytes stay as they came, what is judged is written, the platform sees them."""

import hashlib
from dataclasses import replace

import pytest

from keisan.domain.access import OrganizationScope, ProviderScope, Scope
from keisan.domain.errors import NotFound
from keisan.domain.ids import KeyId, OrganizationId, ProviderId, QuarantineId
from keisan.domain.page import PageRequest
from keisan.domain.quarantine import QuarantinedRecord, QuarantineState
from keisan.kit.ids import create_id
from keisan.storage.database import Database
from tests.factories import NOW, plant_world
from tests.settlement import EVERYTHING

TEXTS = {b"\xff\x00": "malformed", b"a" * 5000: "malformed"}


async def quarantine(storage: Database) -> list[QuarantinedRecord]:
    """Keep two records, and return them in order of id."""
    world = await plant_world(storage)
    async with storage.write() as transaction:
        await transaction.usage.quarantine_many(TEXTS, world.gateway.id, NOW)
        return list((await transaction.quarantine.list(EVERYTHING, PageRequest())).items)


async def test_judgement_is_written_and_nothing_else(storage: Database) -> None:
    first, second = await quarantine(storage)
    assert {first.text: first.code, second.text: second.code} == TEXTS
    assert first.digest == hashlib.sha256(first.text).hexdigest()
    assert (first.id.hex, first.state) == (first.digest[:32], QuarantineState.QUARANTINED)
    judged = replace(first, state=QuarantineState.DISCARDED, note="noise", judged_by=KeyId(create_id()), judged_at=NOW)
    async with storage.write() as transaction:
        assert await transaction.quarantine.lock(EVERYTHING, first.id) == first
        await transaction.quarantine.judge(replace(judged, text=b"other", code="other"))
    async with storage.read() as view:
        assert await view.quarantine.get(EVERYTHING, first.id) == judged
        for state, expected in zip(QuarantineState, [(second,), (), (judged,)], strict=True):
            assert (await view.quarantine.list(EVERYTHING, PageRequest(), state)).items == expected
        page = await view.quarantine.list(EVERYTHING, PageRequest(limit=1))
        assert (page.items, page.next_after) == ((judged,), first.id)


@pytest.mark.parametrize(
    "scope", [OrganizationScope(OrganizationId(create_id())), ProviderScope(ProviderId(create_id()))]
)
async def test_nobody_else_sees_them(storage: Database, scope: Scope) -> None:
    first, _ = await quarantine(storage)
    async with storage.write() as transaction:
        assert (await transaction.quarantine.list(scope, PageRequest())).items == ()
        for find in (transaction.quarantine.get, transaction.quarantine.lock):
            with pytest.raises(NotFound):
                await find(scope, first.id)
            with pytest.raises(NotFound):
                await find(EVERYTHING, QuarantineId(create_id()))
