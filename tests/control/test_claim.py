"""Commands on claims: whose sites, one claim for each chip, all of a table or none of it."""

import pytest

from keisan.control.claim import make_claim, upload_claims, withdraw_claim
from keisan.control.context import Control
from keisan.domain.access import Principal, Role
from keisan.domain.claim import Claim
from keisan.domain.errors import NotFound, PermissionDenied, TableInvalid, VersionMismatch
from keisan.domain.figure import Precision
from keisan.wire.claim import ClaimWrite
from keisan.wire.facility import UploadAnswer
from tests.control.people import EVERYTHING, add_key, count_actions, list_events
from tests.factories import NOW, World

BODY = ClaimWrite(chip="metax-c600", device_count=128, gflops={Precision.FP16: 64_000_000})


@pytest.fixture
async def provider(control: Control, world: World) -> Principal:
    return await add_key(control, world.left.project, Role.PROVIDER, world.left.provider.id)


async def list_claims(control: Control) -> list[Claim]:
    async with control.storage.read() as view:
        return list(await view.claims.list_all(EVERYTHING))


async def test_provider_claims_for_its_own_site_only(control: Control, world: World, provider: Principal) -> None:
    made = await make_claim(control, provider, world.left.site.id, BODY)
    assert (made.claimed_by, made.claimed_at, made.claimed.gflops) == (provider.id, NOW, {Precision.FP16: 64_000_000})
    with pytest.raises(NotFound):
        await make_claim(control, provider, world.right.site.id, BODY)
    with pytest.raises(NotFound):
        await withdraw_claim(control, provider, world.right.claim.id, 1)
    [event] = await list_events(control)
    assert event.detail == {
        "site_id": str(world.left.site.id),
        "chip": "metax-c600",
        "claim_version": "1",
        "device_count": "128",
        "gflops_fp16": "64000000",
    }


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.ORGANIZATION_ADMIN, Role.DEVELOPER])
async def test_others_may_not(control: Control, world: World, role: Role) -> None:
    who = await add_key(control, world.left.project, role)
    with pytest.raises(PermissionDenied):
        await make_claim(control, who, world.left.site.id, BODY)
    with pytest.raises(PermissionDenied):
        await upload_claims(control, who, b"")
    with pytest.raises(PermissionDenied):
        await withdraw_claim(control, who, world.left.claim.id, 1)


async def test_newest_claim_of_a_chip_stands_until_it_is_withdrawn(
    control: Control, world: World, provider: Principal
) -> None:
    site_id = world.left.site.id
    first = await make_claim(control, provider, site_id, BODY)
    assert await make_claim(control, provider, site_id, BODY) == first
    second = await make_claim(control, provider, site_id, BODY.model_copy(update={"device_count": 64}))
    assert (second.id, second.version, second.claimed.device_count) == (first.id, 2, 64)
    with pytest.raises(VersionMismatch):
        await withdraw_claim(control, provider, first.id, 1)
    assert await withdraw_claim(control, provider, first.id, 2) == second
    assert set(map(repr, await list_claims(control))) == {repr(world.left.claim), repr(world.right.claim)}
    assert await count_actions(control) == {"claim.made": 2, "claim.withdrawn": 1}


def write_table(*lines: str) -> bytes:
    return "\n".join(["site,chip,device_count,memory_bytes,pflops_fp16", *lines]).encode()


async def test_table_is_taken_whole_and_once(control: Control, world: World, provider: Principal) -> None:
    site = world.left.site.name
    table = write_table(f"{site},metax-c600,8,,0.5", f"{site},nvidia-h20,9,,")
    assert await upload_claims(control, provider, table) == UploadAnswer(
        created_count=1, changed_count=1, unchanged_count=0
    )
    stored = await list_claims(control)
    assert {(claim.chip, claim.claimed.device_count): claim.claimed.gflops for claim in stored} == {
        ("nvidia-h20", 9): {},
        ("nvidia-h20", 8): world.right.claim.claimed.gflops,
        ("metax-c600", 8): {Precision.FP16: 500_000},
    }
    again = await upload_claims(control, provider, table)
    assert (again.unchanged_count, await list_claims(control)) == (2, stored)
    assert await count_actions(control) == {"claim.made": 2, "claim.uploaded": 1}


async def test_every_bad_line_is_told_and_nothing_is_taken(control: Control, world: World, provider: Principal) -> None:
    site, stored = world.left.site.name, await list_claims(control)
    table = write_table(
        f"{site},metax-c600,8,,0.5",
        f"{site},metax-c600,9,,",
        f"{world.right.site.id},metax-c600,9,,",
        f"{site},,nine,,",
    )
    with pytest.raises(TableInvalid) as refusal:
        await upload_claims(control, provider, table)
    places = [place for place, _ in refusal.value.faults]
    assert places == ["lines[3].chip", "lines[4].site", "lines[5].chip", "lines[5].device_count"]
    assert await list_claims(control) == stored
    assert await count_actions(control) == {}
