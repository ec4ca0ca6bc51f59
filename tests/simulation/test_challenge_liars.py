"""Liars under challenge, by the real control path: each is flagged by its reason, and honest neighbours are not.

An agent here does whatever an agent can: it knows all orders of its node, remembers all rounds, and tells any time.
"""

import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest

from keisan.control.context import Control
from keisan.domain.challenge import Challenge, ChallengeFlag
from keisan.domain.verdict import Verdict
from keisan.storage.sqlite import open_sqlite
from keisan.wire.challenge import ChallengeOrder
from keisan.wire.challenge_proof import Commitment
from tests.control.challenge_world import (
    CLAIM_PER_S,
    ChallengeWorld,
    Reply,
    do_work,
    find_honest_s,
    open_challenge_world,
    reply_honestly,
)
from tests.databases import migrated_file  # noqa: F401  # a fixture, which pytest finds by its name here
from tests.factories import SIGNER, FixedClock, plant_world

FLAG = ChallengeFlag
Replies = Mapping[str, Reply | None]
LIAR = "GPU-3"
SEEDS = range(4)


@pytest.fixture
async def stage(
    tmp_path: Path,
    migrated_file: Path,  # noqa: F811  # the fixture is asked for by its name
) -> AsyncIterator[ChallengeWorld]:
    """A site whose node has eight devices."""
    path, clock = tmp_path / "keisan.db", FixedClock()
    shutil.copyfile(migrated_file, path)
    storage = open_sqlite(path, clock)
    try:
        world = await plant_world(storage)
        yield await open_challenge_world(Control(storage, clock, world.platform.id, signer=SIGNER), clock, world)
    finally:
        await storage.close()


def reply_all(orders: Sequence[ChallengeOrder], random: Random) -> dict[str, Reply | None]:
    """Reply honestly for all, a little apart as devices are."""
    return {order.hardware_id: reply_honestly(order, random.uniform(0, 0.2)) for order in orders}


def find(orders: Sequence[ChallengeOrder], hardware_id: str) -> ChallengeOrder:
    return next(order for order in orders if order.hardware_id == hardware_id)


def lie_for_one(orders: Sequence[ChallengeOrder], random: Random, lie: Reply | None) -> Replies:
    return {**reply_all(orders, random), LIAR: lie}


@pytest.mark.parametrize("seed", SEEDS)
async def test_honest_devices_are_verified(stage: ChallengeWorld, seed: int) -> None:
    random = Random(seed)
    for _ in range(2):
        judged = await stage.play(lambda orders: reply_all(orders, random))
        assert [(each.verdict, each.flags) for each in judged] == [(Verdict.OK, ())] * 8, seed
        assert all(0.8 * CLAIM_PER_S < (each.rate_per_s or 0) <= 0.9 * CLAIM_PER_S for each in judged)
        assert all(each.peers is not None and each.peers.count == 7 for each in judged)
        assert len({each.work.seed for each in judged}) == 8


@pytest.mark.parametrize("seed", SEEDS)
async def test_old_answer_is_flagged_as_replayed(stage: ChallengeWorld, seed: int) -> None:
    random = Random(seed)
    await stage.play(lambda orders: reply_all(orders, random))
    old = stage.last[LIAR]

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        return lie_for_one(orders, random, Reply(0.1, old.build_root(), old, 0.1))

    check_liar(await stage.play(agent), FLAG.REPLAYED, seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_old_answer_in_other_bits_is_flagged_as_replayed(stage: ChallengeWorld, seed: int) -> None:
    """Another root: the last bit of a number is another, too little to be wrong."""
    random = Random(seed)
    await stage.play(lambda orders: reply_all(orders, random))
    changed = change_bit(stage.last[LIAR])

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        return lie_for_one(orders, random, Reply(0.1, changed.build_root(), changed, 0.1))

    check_liar(await stage.play(agent), FLAG.REPLAYED, seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_neighbours_answer_is_flagged_as_copied(stage: ChallengeWorld, seed: int) -> None:
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        order = find(orders, "GPU-5")
        copied = do_work(order)
        # Before the one that it is copied from as well as after it.
        elapsed_s = find_honest_s(order) + random.uniform(-0.5, 0.5)
        return lie_for_one(orders, random, Reply(elapsed_s, copied.build_root(), copied, elapsed_s))

    check_liar(await stage.play(agent), FLAG.COPIED, seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_answer_to_a_neighbours_seed_is_flagged_even_if_it_looks_like_none(
    stage: ChallengeWorld, seed: int
) -> None:
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        order = find(orders, "GPU-5")
        right = do_work(order)
        changed = change_bit(right)
        elapsed_s = find_honest_s(order)
        return lie_for_one(orders, random, Reply(elapsed_s, changed.build_root(), changed, elapsed_s))

    check_liar(await stage.play(agent), FLAG.COPIED, seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_answer_to_a_seed_of_its_own_is_wrong(stage: ChallengeWorld, seed: int) -> None:
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        order = find(orders, LIAR)
        result = do_work(order, f"chosen {seed}")
        return lie_for_one(orders, random, Reply(find_honest_s(order), result.build_root(), result, 2.0))

    check_liar(await stage.play(agent), FLAG.WRONG_ANSWER, seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_garbage_is_wrong(stage: ChallengeWorld, seed: int) -> None:
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        row_bytes = find(orders, LIAR).width * 8
        parts = [random.randbytes(row_bytes) for _ in range(64)]
        garbage = Commitment(64, parts.__getitem__)
        return lie_for_one(orders, random, Reply(0.1, garbage.build_root(), garbage, 0.1))

    check_liar(await stage.play(agent), FLAG.WRONG_ANSWER, seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_result_made_after_the_commitment_is_wrong(stage: ChallengeWorld, seed: int) -> None:
    """It commits at once to nothing, and opens rows that it computed afterwards and that are right."""
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        order = find(orders, LIAR)
        return lie_for_one(orders, random, Reply(0.01, f"{random.getrandbits(256):064x}", do_work(order), 0.01))

    check_liar(await stage.play(agent), FLAG.WRONG_ANSWER, seed)


@pytest.mark.parametrize("seed", SEEDS)
async def test_shorter_time_is_flagged_and_changes_nothing(stage: ChallengeWorld, seed: int) -> None:
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        honest = reply_honestly(find(orders, LIAR))
        return lie_for_one(orders, random, Reply(honest.elapsed_s, honest.commitment, honest.opened, 0.05))

    judged = await stage.play(agent)
    told = next(each for each in judged if each.hardware_id == LIAR)
    assert told.flags == (FLAG.TOLD_SHORTER,), seed
    assert (told.rate_per_s or 0) <= 0.9 * CLAIM_PER_S
    assert all(not each.flags for each in judged if each is not told)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("is_sharing", [False, True])
async def test_one_device_for_eight_is_seen_on_all(stage: ChallengeWorld, seed: int, is_sharing: bool) -> None:
    """One device answers one order after another, or all at an eighth of its speed: none of the eight is believed."""
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        queue = random.sample(orders, len(orders))
        replies: dict[str, Reply | None] = {}
        for place, order in enumerate(queue, 1):
            share = len(queue) + random.uniform(0, 0.1) if is_sharing else place
            result, elapsed_s = do_work(order), find_honest_s(order) * share
            replies[order.hardware_id] = Reply(elapsed_s, result.build_root(), result, find_honest_s(order))
        return replies

    judged = await stage.play(agent)
    for each in judged:
        assert each.verdict is Verdict.FAILED, seed
        assert FLAG.BELOW_CLAIM in each.flags
        assert (FLAG.ONE_AFTER_ANOTHER in each.flags) is not is_sharing
        # All together are worth what the one is.
        assert (each.rate_per_s or 0) <= 0.9 * CLAIM_PER_S / 8
    async with stage.control.storage.read() as view:
        [line] = await view.challenges.sum_verified(stage.admin.scope)
    assert (line.device_count, line.verified_count, line.rate_mega_per_s) == (8, 0, 0)


@pytest.mark.parametrize("seed", SEEDS)
async def test_slow_device_is_below_its_peers_where_nothing_is_claimed(stage: ChallengeWorld, seed: int) -> None:
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        order = find(orders, LIAR)
        return lie_for_one(orders, random, reply_honestly(order, find_honest_s(order)))

    judged = await stage.play(agent, claim_per_s=None)
    assert {each.hardware_id: each.flags for each in judged if each.flags} == {LIAR: (FLAG.BELOW_PEERS,)}, seed


@pytest.mark.parametrize("seed", SEEDS)
async def test_empty_cabinet_answers_nothing_or_too_slowly(stage: ChallengeWorld, seed: int) -> None:
    """Eight devices are reported and none is there: half of the orders are left, half are done by a processor, slowly."""
    random = Random(seed)

    def agent(orders: Sequence[ChallengeOrder]) -> Replies:
        replies: dict[str, Reply | None] = {order.hardware_id: None for order in orders}
        for order in random.sample(orders, 4):
            replies[order.hardware_id] = reply_honestly(order, random.uniform(20, 21))
        return replies

    judged = await stage.play(agent)
    told = sorted(each.flags for each in judged)
    assert told == [(FLAG.BELOW_CLAIM,)] * 4 + [(FLAG.NO_ANSWER,)] * 4, seed
    assert all(each.verdict is Verdict.FAILED for each in judged)


async def test_silent_site_has_disproved_nothing(stage: ChallengeWorld) -> None:
    started = await stage.start()
    await stage.report()
    await stage.clock.sleep(3600)
    await stage.judge()
    judged = await stage.read(started)
    assert {(each.verdict, each.flags) for each in judged} == {(Verdict.UNKNOWN, (FLAG.NO_ANSWER,))}
    async with stage.control.storage.read() as view:
        assert not await view.challenges.sum_verified(stage.admin.scope)


def change_bit(result: Commitment) -> Commitment:
    """Return a result of which one number is another by its last bit."""
    parts = [bytearray(result.open(index)[0]) for index in range(64)]
    parts[0][0] ^= 1
    return Commitment(64, lambda index: bytes(parts[index]))


def check_liar(judged: Sequence[Challenge], flag: ChallengeFlag, seed: int) -> None:
    """Assert that the liar alone is flagged, by this reason alone, and has no rate."""
    by_device = {each.hardware_id: each for each in judged}
    liar = by_device.pop(LIAR)
    assert (liar.flags, liar.verdict, liar.rate_per_s) == ((flag,), Verdict.FAILED, None), seed
    assert all((each.flags, each.verdict) == ((), Verdict.OK) for each in by_device.values()), seed
