"""What people do about settlements, on both databases: end, compare, read positions and receipts."""

from datetime import timedelta

import pytest

from keisan.control.settlement import (
    compare_settlement,
    end_settlement,
    find_cross_receipt,
    list_positions,
    read_settlement,
)
from keisan.domain.access import Role
from keisan.domain.cross_record import CrossState, RecordEnd
from keisan.domain.errors import InvalidInput, NotFound, PermissionDenied, StateConflict
from keisan.domain.ids import RecordId
from keisan.domain.settlement import CrossSum, NetPosition, SettlementState
from keisan.wire.cross_receipt import show_cross_receipt, verify_cross_receipt
from tests.control.settlement_world import EVERYTHING, Party, Post, assert_closed, call, create_call, end_both
from tests.factories import FixedClock
from tests.federation.cross_samples import PERIOD, create_usage
from tests.settlement import create_principal

NANO = create_usage().amount_nano
ADMIN = create_principal(Role.PLATFORM_ADMIN)


async def test_a_period_is_ended_by_hand_once_it_is_over(
    home: Party, serving: Party, post: Post, clock: FixedClock
) -> None:
    await call(home, serving, 1)
    await serving.tell()
    await post.deliver()
    own, theirs = await home.find(home, serving, PERIOD), await home.find(serving, home, PERIOD)
    assert own is not None
    assert theirs is not None
    with pytest.raises(InvalidInput, match="compare"):
        await end_settlement(home.control, ADMIN, theirs.id)
    with pytest.raises(StateConflict, match="not over"):
        await end_settlement(home.control, ADMIN, own.id)
    clock.instant += timedelta(days=1)
    with pytest.raises(StateConflict, match="wait"):
        await end_settlement(home.control, ADMIN, own.id)
    await home.tell()
    with pytest.raises(PermissionDenied):
        await end_settlement(home.control, create_principal(Role.AUDITOR), own.id)
    assert (await end_settlement(home.control, ADMIN, own.id)).state is SettlementState.ENDED
    await post.deliver()
    with pytest.raises(StateConflict, match="both"):
        await end_settlement(home.control, ADMIN, own.id)
    with pytest.raises(StateConflict, match="both"):
        await compare_settlement(home.control, ADMIN, own.id)


async def test_a_comparison_by_hand_brings_what_was_lost(home: Party, serving: Party, post: Post) -> None:
    await call(home, serving, 3)
    await home.tell()
    post.is_losing = True
    await serving.tell()
    post.is_losing = False
    await post.deliver()
    theirs = await home.find(serving, home, PERIOD)
    assert theirs is not None
    with pytest.raises(PermissionDenied):
        await compare_settlement(home.control, create_principal(Role.AUDITOR), theirs.id)
    await compare_settlement(home.control, ADMIN, theirs.id)
    await post.deliver()
    async with home.storage.read() as view:
        found = await read_settlement(view, EVERYTHING, theirs.id)
    assert found.sums == [CrossSum(RecordEnd.SERVING, CrossState.SETTLED, "CNY", 3, 3 * NANO)]


async def test_positions_are_final_once_both_directions_are_signed_for(home: Party, serving: Party, post: Post) -> None:
    await call(home, serving, 3)
    await call(serving, home, 1)
    for party in (home, serving):
        await party.tell()
    await post.deliver()
    for is_final in (False, True):
        for party in (home, serving):
            async with party.storage.read() as view:
                found = await list_positions(view, party.control, EVERYTHING, PERIOD)
            assert found == [NetPosition(PERIOD, serving.id, home.id, "CNY", 2 * NANO, is_final)]
        if not is_final:
            await end_both(home, serving)
            await post.deliver()
            await assert_closed(home, serving)


async def test_a_receipt_is_good_to_both_sides_and_is_the_same(home: Party, serving: Party, post: Post) -> None:
    await call(home, serving, 4)
    ours, theirs = create_call(home, serving)
    await home.keep(ours)
    await serving.keep(theirs)
    async with serving.storage.read() as view:
        with pytest.raises(NotFound):
            await find_cross_receipt(view, EVERYTHING, RecordId(theirs.record_id))
    for party in (home, serving):
        await party.tell()
    await post.deliver()
    shown = []
    for party in (home, serving):
        async with party.storage.read() as view:
            receipt = show_cross_receipt(await find_cross_receipt(view, EVERYTHING, theirs.record_id))
            own = await find_cross_receipt(view, EVERYTHING, theirs.record_id, home.id)
        assert verify_cross_receipt(receipt, home.id)[0] == theirs
        assert verify_cross_receipt(show_cross_receipt(own))[0] == ours
        shown.append(receipt)
    assert shown[0] == shown[1]
