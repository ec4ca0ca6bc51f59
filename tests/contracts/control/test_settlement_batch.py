"""Batches over two real databases: signed by both, judged by rule, and told in a settlement that is open."""

from dataclasses import replace
from datetime import timedelta

from keisan.domain.cross_record import CrossState, RecordEnd
from keisan.domain.settlement import SettlementKey
from keisan.kit.signature import is_signed_by
from tests.control.settlement_world import (
    EVERYTHING,
    Party,
    Post,
    assert_closed,
    call,
    create_call,
    end_both,
)
from tests.domain.samples import NOW
from tests.factories import FixedClock
from tests.federation.cross_samples import PERIOD, create_usage
from tests.statements import list_statements

NANO = create_usage().amount_nano


async def test_a_late_record_goes_to_the_next_settlement(
    home: Party, serving: Party, post: Post, clock: FixedClock
) -> None:
    await call(home, serving, 1)
    for party in (home, serving):
        await party.tell()
    await end_both(home, serving)
    await post.deliver()
    await assert_closed(home, serving)
    clock.instant += timedelta(days=1, hours=2)
    await call(home, serving, 1)
    for party in (home, serving):
        await party.tell()
    await end_both(home, serving, "2026-11-24")
    await post.deliver()
    await assert_closed(home, serving, "2026-11-24")


async def test_what_a_revoked_platform_made_later_waits_and_what_it_made_before_is_settled(
    home: Party, serving: Party, post: Post
) -> None:
    before, after = create_call(home, serving), create_call(home, serving, at=NOW + timedelta(seconds=1))
    serving.revoked_at_ms = after[1].admitted_at_ms
    for _, theirs in (before, after):
        await serving.keep(theirs)
    await serving.tell()
    await post.deliver()
    async with home.storage.read() as view:
        sums = await view.cross_records.sum(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))
        (held,) = await view.cross_records.list_ends(EVERYTHING, [after[1].record_id])
    assert [(each.state, each.record_count) for each in sums] == [(CrossState.SETTLED, 1), (CrossState.SUSPENDED, 1)]
    assert held.code == "revoked"


async def test_a_region_is_the_certificate_s_and_not_the_record_s(home: Party, serving: Party, post: Post) -> None:
    _, theirs = create_call(home, serving)
    await serving.keep(replace(theirs, region="CN-BJ"))
    await serving.tell()
    await post.deliver()
    async with home.storage.read() as view:
        (held,) = await view.cross_records.list_ends(EVERYTHING, [theirs.record_id])
    assert (held.state, held.code) == (CrossState.SUSPENDED, "wrong_region")


async def test_a_batch_is_signed_by_both_and_its_bytes_stay(home: Party, serving: Party, post: Post) -> None:
    await call(home, serving, 3)
    await serving.tell()
    await post.deliver()
    batches = []
    for party in (serving, home):
        async with party.storage.read() as view:
            (first, *_) = await view.cross_records.list_marks(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))
            ends = await view.cross_records.list_ends(EVERYTHING, [first.leaf_id])  # type: ignore[list-item]  # a record's
            (theirs,) = [each for each in ends if each.usage.end is RecordEnd.SERVING]
            assert theirs.batch_id is not None
            batches.append(await view.cross_batches.find(EVERYTHING, theirs.batch_id))
    assert batches[0] == batches[1]
    batch = batches[0]
    assert batch is not None
    assert batch.countersignature is not None
    assert batch.counter_key is not None
    assert is_signed_by(batch.public_key, batch.content, batch.signature)
    assert is_signed_by(batch.counter_key, batch.content, batch.countersignature)


async def test_what_no_link_leads_to_waits_and_holds_up_nobody(home: Party, serving: Party, post: Post) -> None:
    stranger = create_usage(serving_id=serving.id, region=serving.region, at=NOW - timedelta(hours=1))
    await serving.keep(stranger)
    await call(home, serving, 2)
    await serving.tell()
    await post.deliver()
    async with home.storage.read() as view:
        assert len(await view.cross_records.list_marks(EVERYTHING, SettlementKey(serving.id, home.id, PERIOD))) == 2
    async with serving.storage.read() as view:
        assert await view.cross_records.list_waiting_audiences(EVERYTHING, serving.id) == [stranger.home_id]


async def test_a_batch_takes_as_many_statements_as_one_of_its_records(home: Party, serving: Party, post: Post) -> None:
    """Of home's word beforehand too: then each record is compared with the other end's."""
    counts = []
    # Accounts, and the settlement, are opened with the first.
    for number_of_calls in (1, 2, 40):
        await call(home, serving, number_of_calls)
        await home.tell()
        await post.deliver()
        await serving.tell()
        with list_statements() as given:
            await post.deliver()
        counts.append(len(given))
    assert counts[1] == counts[2], counts
