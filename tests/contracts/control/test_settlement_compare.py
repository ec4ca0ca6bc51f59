"""What was lost, or set back with a disk, is found by letters and told again as it was signed, before anybody signs."""

import shutil
from dataclasses import replace
from pathlib import Path

from keisan.storage.sqlite import open_sqlite
from tests.control.settlement_world import (
    Party,
    Post,
    assert_closed,
    call,
    end_both,
)
from tests.factories import FixedClock
from tests.federation.cross_samples import PERIOD, create_usage

NANO = create_usage().amount_nano


async def test_what_was_lost_is_found_and_told_again_before_anybody_signs(
    home: Party, serving: Party, post: Post
) -> None:
    await call(home, serving, 40)
    await serving.tell()
    await home.tell()
    await post.deliver()
    post.is_losing = True
    await call(home, serving, 2)
    await serving.tell()
    post.is_losing = False
    await home.tell()
    await end_both(home, serving)
    letters, post.letters = post.letters, []
    post.letters = [each for each in letters if each.kind == "period_end"]
    await post.deliver(copies=2)
    # Two of the serving platform's were lost, and two of home's.
    await assert_closed(home, serving)


async def test_a_platform_whose_disk_was_set_back_is_given_what_it_had_signed(
    home: Party, serving: Party, post: Post, tmp_path: Path, clock: FixedClock
) -> None:
    await call(home, serving, 3)
    await serving.tell()
    await post.deliver()
    await serving.storage.close()
    shutil.copy(tmp_path / "other.db", tmp_path / "old.db")
    serving.storage = open_sqlite(tmp_path / "other.db", clock)
    await call(home, serving, 4)
    await serving.tell()
    await home.tell()
    await post.deliver()
    await serving.storage.close()
    old = open_sqlite(tmp_path / "old.db", clock)
    serving.storage, serving.control = old, replace(serving.control, storage=old)
    await end_both(home, serving)
    await post.deliver()
    await assert_closed(home, serving)
    ended = await serving.find(serving, home, PERIOD)
    assert ended is not None
    assert ended.revision == 2
    await old.close()
