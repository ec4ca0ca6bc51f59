"""Challenges on both databases: whose they are, which are open, what peers reached, and what is verified."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keisan.domain.access import OrganizationScope, PlatformScope, ProviderScope, Scope
from keisan.domain.challenge import Challenge, ChallengeState, VerifiedCapacity, Workload
from keisan.domain.device import DeviceUse
from keisan.domain.ids import ChallengeId
from keisan.domain.page import PageRequest
from keisan.domain.verdict import Verdict
from keisan.storage.database import Database
from tests.factories import NOW, World, create_challenge, create_device, plant_world

EVERYTHING = PlatformScope()


@pytest.fixture
async def world(storage: Database) -> World:
    """A small platform, with a judged challenge that proved nothing on each side."""
    return await plant_world(storage)


def judged(world: World, minute: int, **changes: Any) -> Challenge:
    """Return a challenge of the left device that was judged at a minute, right and as claimed unless changed."""
    values: dict[str, Any] = {
        "state": ChallengeState.JUDGED,
        "verdict": Verdict.OK,
        "rate_per_s": 21_000_000_000,
        "judged_at": NOW + timedelta(minutes=minute),
    }
    device = changes.pop("device", world.left.device)
    return create_challenge(device, **(values | changes))


async def insert(storage: Database, *challenges: Challenge) -> None:
    async with storage.write() as transaction:
        for challenge in challenges:
            await transaction.challenges.insert(challenge)


async def test_those_of_other_sites_are_not_seen(storage: Database, world: World) -> None:
    left, right = create_challenge(world.left.device), create_challenge(world.right.device)
    await insert(storage, left, right)
    own = {left.id, world.left.challenge.id}
    cases: list[tuple[Scope, set[ChallengeId], set[ChallengeId]]] = [
        (EVERYTHING, own, {right.id}),
        (ProviderScope(world.left.provider.id), own, set()),
        (OrganizationScope(world.left.organization.id), set(), set()),
    ]
    async with storage.read() as view:
        for scope, seen, others in cases:
            page = await view.challenges.list_site(scope, world.left.site.id, PageRequest())
            assert {each.id for each in page.items} == seen
            assert {each.id for each in await view.challenges.list_open(scope, world.left.site.id)} == seen & {left.id}
            assert {each.id for each in await view.challenges.list_round(scope, right.round_id)} == others


async def test_a_sites_are_paged(storage: Database, world: World) -> None:
    added = [create_challenge(world.left.device) for _ in range(2)]
    own = [world.left.challenge, *added]
    await insert(storage, *added, create_challenge(world.right.device))
    async with storage.read() as view:
        first = await view.challenges.list_site(EVERYTHING, world.left.site.id, PageRequest(limit=2))
        rest = await view.challenges.list_site(
            EVERYTHING, world.left.site.id, PageRequest(after=first.next_after, limit=2)
        )
    assert [*first.items, *rest.items] == own
    assert rest.next_after is None


async def test_open_ones_are_those_not_judged(storage: Database, world: World) -> None:
    by_state = {state: create_challenge(world.left.device, state=state) for state in ChallengeState}
    await insert(storage, *by_state.values())
    async with storage.read() as view:
        found = {each.state for each in await view.challenges.list_open(EVERYTHING, world.left.site.id)}
    assert found == set(ChallengeState) - {ChallengeState.JUDGED}


async def test_newest_of_a_device_come_first(storage: Database, world: World) -> None:
    added = [create_challenge(world.left.device) for _ in range(3)]
    await insert(storage, *added, create_challenge(world.right.device))
    async with storage.read() as view:
        found = await view.challenges.list_device(EVERYTHING, world.left.device.id, 2)
        assert list(found) == [added[2], added[1]]
        outside = await view.challenges.list_device(ProviderScope(world.right.provider.id), world.left.device.id, 2)
        assert list(outside) == []


async def test_commitment_is_found_wherever_it_was_used(storage: Database, world: World) -> None:
    same = [create_challenge(side.device, commitment="ab" * 32) for side in (world.left, world.right)]
    await insert(storage, *same, create_challenge(world.left.device, commitment="cd" * 32))
    async with storage.read() as view:
        assert {each.id for each in await view.challenges.list_committed(EVERYTHING, "ab" * 32)} == {
            each.id for each in same
        }


async def test_peers_are_the_last_right_answers_of_a_chip(storage: Database, world: World) -> None:
    left, right = world.left.device, world.right.device
    await insert(
        storage,
        judged(world, 1, rate_per_s=1),
        judged(world, 3, rate_per_s=3, verdict=Verdict.FAILED),
        judged(world, 2, rate_per_s=2),
        # A judgement without proof does not unseat the one before.
        judged(world, 4, rate_per_s=None, verdict=Verdict.UNKNOWN),
        judged(world, 5, device=right, rate_per_s=5),
        judged(world, 6, rate_per_s=6, chip="other"),
        create_challenge(left, rate_per_s=7),
    )
    async with storage.read() as view:
        found = await view.challenges.list_rates(EVERYTHING, left.chip, Workload.FP32)
        assert list(found) == [(right.id, 5), (left.id, 3)]
        assert list(await view.challenges.list_rates(EVERYTHING, left.chip, Workload.FP64)) == []
        own = await view.challenges.list_rates(ProviderScope(world.left.provider.id), left.chip, Workload.FP32)
        assert list(own) == [(left.id, 3)]


async def test_device_whose_last_answer_was_wrong_is_nobodys_peer(storage: Database, world: World) -> None:
    await insert(storage, judged(world, 1), judged(world, 2, rate_per_s=None, verdict=Verdict.FAILED))
    async with storage.read() as view:
        assert list(await view.challenges.list_rates(EVERYTHING, world.left.device.chip, Workload.FP32)) == []


async def test_verified_are_the_last_proofs_of_each_device(storage: Database, world: World) -> None:
    second = create_device(world.left.node)
    async with storage.write() as transaction:
        await transaction.devices.insert(second)
    site, chip = world.left.site.id, world.left.device.chip
    await insert(
        storage,
        judged(world, 1, rate_per_s=10**18 + 999_999, claim_per_s=10**18),
        judged(world, 0, verdict=Verdict.FAILED),
        judged(world, 9, verdict=Verdict.UNKNOWN, rate_per_s=None),
        judged(world, 4, device=second, rate_per_s=9 * 10**18, claim_per_s=10**18),
        # What does not do as it claims counts as a device, and as nothing else.
        judged(world, 3, device=world.right.device, verdict=Verdict.FAILED, rate_per_s=5_000_000),
    )
    expected = VerifiedCapacity(
        site_id=site,
        chip=chip,
        workload=Workload.FP32,
        device_count=2,
        verified_count=2,
        rate_mega_per_s=10 * 10**12,
        claim_mega_per_s=2 * 10**12,
        oldest_at=NOW + timedelta(minutes=1),
        newest_at=NOW + timedelta(minutes=4),
    )
    async with storage.read() as view:
        assert list(await view.challenges.sum_verified(ProviderScope(world.left.provider.id))) == [expected]
        assert list(await view.challenges.sum_verified(OrganizationScope(world.left.organization.id))) == []
        both = {line.site_id: line for line in await view.challenges.sum_verified(EVERYTHING)}
    assert both[site] == expected
    other = both[world.right.site.id]
    assert (other.device_count, other.verified_count, other.rate_mega_per_s, other.claim_mega_per_s) == (1, 0, 0, None)
    async with storage.read() as view:
        measured = await view.challenges.list_measured(EVERYTHING)
        assert {(each.hardware_id, each.workload, each.rate_per_s) for each in measured} == {
            (world.left.device.hardware_id, Workload.FP32, 10**18 + 999_999),
            (second.hardware_id, Workload.FP32, 9 * 10**18),
        }
        assert list(await view.challenges.list_measured(ProviderScope(world.right.provider.id))) == []


async def test_a_retired_device_is_verified_no_more(storage: Database, world: World) -> None:
    await insert(storage, judged(world, 1), judged(world, 1, device=world.right.device))
    async with storage.write() as transaction:
        await transaction.devices.update(replace(world.left.device, use=DeviceUse.RETIRED, version=2))
    async with storage.read() as view:
        assert [line.site_id for line in await view.challenges.sum_verified(EVERYTHING)] == [world.right.site.id]


async def test_claim_is_summed_only_if_all_claim(storage: Database, world: World) -> None:
    second = create_device(world.left.node)
    async with storage.write() as transaction:
        await transaction.devices.insert(second)
    await insert(storage, judged(world, 1), judged(world, 1, device=second, claim_per_s=None))
    async with storage.read() as view:
        [line] = await view.challenges.sum_verified(EVERYTHING)
    assert (line.verified_count, line.rate_mega_per_s, line.claim_mega_per_s) == (2, 42_000, None)
