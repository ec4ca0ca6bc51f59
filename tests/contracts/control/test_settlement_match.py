"""What both ends say of a call is compared as soon as both are here, whichever comes first."""

from dataclasses import replace

import pytest

from keisan.domain.cross_record import CrossState, RecordEnd
from tests.control.settlement_world import (
    EVERYTHING,
    Party,
    Post,
    create_call,
)
from tests.federation.cross_samples import create_usage

NANO = create_usage().amount_nano


@pytest.mark.parametrize("is_home_first", [True, False])
async def test_ends_that_do_not_agree_are_disputed_on_both_sides(
    home: Party, serving: Party, post: Post, *, is_home_first: bool
) -> None:
    ours, theirs = create_call(home, serving)
    pairs = [(home, replace(ours, response_bytes=5)), (serving, theirs)]
    for party, usage in pairs if is_home_first else reversed(pairs):
        await party.keep(usage)
        await party.tell()
    await post.deliver()
    for party in (home, serving):
        async with party.storage.read() as view:
            ends = await view.cross_records.list_ends(EVERYTHING, [ours.record_id])
        held = {each.usage.end: (each.state, each.code) for each in ends}
        assert held == dict.fromkeys(RecordEnd, (CrossState.DISPUTED, "output_above_bytes"))
