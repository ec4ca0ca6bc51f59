"""Periods over two real databases: whatever the order or repeat of letters, both close with the same; silence closes nothing."""

import pytest

from keisan.domain.settlement import SettlementState
from keisan.wire.settlement_text import read_countersignature
from tests.control.settlement_world import (
    Party,
    Post,
    assert_closed,
    call,
    end_both,
)
from tests.federation.cross_samples import PERIOD, create_usage

NANO = create_usage().amount_nano


@pytest.mark.parametrize(("seed", "copies"), [(None, 1), (1, 1), (2, 3), (3, 2)])
async def test_both_sides_close_a_period_with_the_same(
    home: Party, serving: Party, post: Post, seed: int | None, copies: int
) -> None:
    await call(home, serving, 3)
    await call(serving, home, 2)
    await home.tell()
    await call(home, serving, 2)
    for party in (home, serving):
        await party.tell()
    await end_both(home, serving)
    await post.deliver(seed, copies=copies)
    await assert_closed(home, serving)
    closed = await home.find(serving, home, PERIOD)
    assert closed is not None
    assert closed.countersignature is not None
    told = read_countersignature(closed.countersignature.content)
    assert (told.signer, told.settled_nano, told.held_nano) == (home.id, {"CNY": 5 * NANO}, {})


async def test_a_period_stays_open_for_whom_is_silent_and_closes_for_others(
    home: Party, serving: Party, post: Post
) -> None:
    await call(home, serving, 1)
    for party in (home, serving):
        await party.tell()
    await home.end(serving, PERIOD)
    await post.deliver()
    closed, open_ = await home.find(home, serving, PERIOD), await home.find(serving, home, PERIOD)
    assert closed is not None
    assert open_ is not None
    assert (closed.state, open_.state) == (SettlementState.COUNTERSIGNED, SettlementState.OPEN)
