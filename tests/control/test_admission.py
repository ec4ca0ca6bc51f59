"""Admissions between two platforms on real SQLite files: digests go down, keys never; what home says of its own holds, no more."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keisan.control.admission import admit_organization, end_admission, join_policies, tell_admissions
from keisan.domain.access import OrganizationScope, Principal, Right, Role
from keisan.domain.errors import AlreadyExists, InvalidInput, LimitExceeded, PermissionDenied, StateConflict
from keisan.domain.ids import PlatformId
from keisan.domain.letter import Letter, LetterKind
from keisan.domain.organization import Billing
from keisan.wire.admission import AdmissionCreate
from tests.control.credit_pair import EVERYTHING, Pair, open_pair
from tests.control.people import add_key, count_actions, list_touched
from tests.domain.credit_samples import OTHER_ID
from tests.factories import create_budget, create_key, create_project


@pytest.fixture
async def pair(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    async with open_pair(tmp_path, migrated_file, monkeypatch) as opened:
        yield opened


def build_body(pair: Pair, **changes: Any) -> AdmissionCreate:
    facts = {
        "organization_id": pair.owner.id,
        "platform_id": pair.world.platform.id,
        "currency": "CNY",
        "policy": "region in CN-SX",
    }
    return AdmissionCreate(**(facts | changes))


async def admit(pair: Pair, **changes: Any) -> Any:
    return await admit_organization(pair.home.control, pair.admin, build_body(pair, **changes))


async def find_letter(pair: Pair) -> Letter:
    return next(each for each in await pair.home.list_registers() if each.kind == LetterKind.ADMISSION)


async def read_guest(pair: Pair) -> tuple[Any, Any, Any]:
    """Return the guest, its projects and its keys in force, as the serving platform has them."""
    own = OrganizationScope(pair.owner.id)
    async with pair.serving.storage.read() as view:
        organization = (await view.organizations.list_by_ids(EVERYTHING, [pair.owner.id]))[0]
        return organization, await view.projects.list_all(own), await view.keys.list_in_force(own)


async def test_guest_is_known_with_digests_and_a_narrowed_policy(pair: Pair) -> None:
    version = 0
    await admit(pair)
    await pair.deliver()
    organization, projects, keys = await read_guest(pair)
    assert (organization.platform_id, organization.billing) == (OTHER_ID, Billing.PREPAID)
    assert organization.policy == "region in CN-SX"
    assert [each.id for each in projects] == [pair.project.id]
    # The operator's own key stays at home.
    assert [(each.id, each.digest, each.role) for each in keys] == [(pair.key.id, pair.key.digest, Role.DEVELOPER)]
    touched = await list_touched(pair.serving.control, version)
    assert {
        ("keys", str(pair.key.id)),
        ("projects", str(pair.project.id)),
        ("organizations", str(pair.owner.id)),
    } <= touched
    assert (await count_actions(pair.home.control))["organization.admitted"] == 1


async def test_repeat_changes_nothing(pair: Pair) -> None:
    await admit(pair)
    await pair.deliver()
    before = await read_guest(pair)
    await pair.serving.take(replace(await find_letter(pair), version=50))
    async with pair.home.storage.write() as transaction:
        await tell_admissions(transaction, pair.home.control, pair.owner.id)
    assert (await find_letter(pair)).version == 1
    assert await read_guest(pair) == before


async def test_what_changes_at_home_is_told(pair: Pair) -> None:
    await admit(pair)
    await pair.deliver()
    second = replace(create_key(pair.project), platform_id=OTHER_ID)
    async with pair.home.storage.write() as transaction:
        stored = await transaction.keys.get(EVERYTHING, pair.key.id)
        await transaction.keys.update(replace(stored, revoked_at=pair.clock.now(), version=stored.version + 1))
        await transaction.keys.insert(second)
        project = await transaction.projects.get(EVERYTHING, pair.project.id)
        await transaction.projects.update(replace(project, name="other", version=project.version + 1))
        owner = await transaction.organizations.get(EVERYTHING, pair.owner.id)
        changed = replace(owner, name="renamed", policy="vendor in huawei", version=owner.version + 1)
        await transaction.organizations.update(changed)
        await tell_admissions(transaction, pair.home.control, pair.owner.id)
    await pair.deliver()
    organization, projects, keys = await read_guest(pair)
    assert (organization.name, organization.policy) == ("renamed", "vendor in huawei; region in CN-SX")
    assert [each.name for each in projects] == ["other"]
    assert [each.id for each in keys] == [second.id]


async def test_what_a_budget_of_its_own_bounds_stays_at_home(pair: Pair) -> None:
    bounded = replace(create_key(pair.project), platform_id=OTHER_ID)
    own_project = replace(create_project(pair.owner, "bounded"), platform_id=OTHER_ID)
    below = replace(create_key(own_project), platform_id=OTHER_ID)
    async with pair.home.storage.write() as transaction:
        await transaction.projects.insert(own_project)
        for key in (bounded, below):
            await transaction.keys.insert(key)
        await transaction.budgets.insert(create_budget(bounded))
        await transaction.budgets.insert(create_budget(below, key_id=None))
    await admit(pair)
    await pair.deliver()
    _, projects, keys = await read_guest(pair)
    assert [each.id for each in projects] == [pair.project.id]
    assert [each.id for each in keys] == [pair.key.id]


async def test_end_revokes_its_keys_by_a_tombstone_and_a_new_admission_brings_them_back(pair: Pair) -> None:
    admission = await admit(pair)
    await pair.deliver()
    ended = await end_admission(pair.home.control, pair.admin, admission.id, 1)
    assert await end_admission(pair.home.control, pair.admin, admission.id, 1) == ended
    await pair.deliver()
    assert (await read_guest(pair))[2] == ()
    await admit(pair)
    await pair.deliver()
    assert [each.id for each in (await read_guest(pair))[2]] == [pair.key.id]


async def test_who_may_admit_whom_where(pair: Pair) -> None:
    with pytest.raises(InvalidInput):
        await admit(pair, platform_id=OTHER_ID)
    with pytest.raises(InvalidInput):
        await admit(pair, policy="region in")
    reader = Principal(pair.admin.id, pair.admin.scope, pair.admin.rights - {Right.WRITE_ORGANIZATIONS})
    with pytest.raises(PermissionDenied):
        await admit_organization(pair.home.control, reader, build_body(pair))
    admission = await admit(pair)
    with pytest.raises(PermissionDenied):
        await end_admission(pair.home.control, reader, admission.id, 1)
    with pytest.raises(AlreadyExists):
        await admit(pair)
    await pair.deliver()
    operator = await add_key(pair.serving.control, pair.world.left.project, Role.PLATFORM_ADMIN)
    with pytest.raises(StateConflict):
        await admit_organization(pair.serving.control, operator, build_body(pair, platform_id="ef" * 32))


async def test_who_pays_afterwards_needs_a_bound(pair: Pair) -> None:
    async with pair.home.storage.write() as transaction:
        owner = await transaction.organizations.get(EVERYTHING, pair.owner.id)
        await transaction.organizations.update(replace(owner, billing=Billing.POSTPAID, version=2))
    with pytest.raises(InvalidInput):
        await admit(pair)
    await admit(pair, credit_nano_max=1_000_000)
    await pair.deliver()
    (ticket,) = await pair.serving.list_tickets()
    assert 0 < ticket.ceiling_nano <= 1_000_000


async def test_admission_has_as_many_keys_as_a_letter_holds(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keisan.control.admission.ADMISSION_KEYS_MAX", 0)
    with pytest.raises(LimitExceeded):
        await admit(pair)


async def test_home_tells_of_its_own_organizations_projects_and_keys_alone(pair: Pair) -> None:
    await admit(pair)
    letter, left = await find_letter(pair), pair.world.left
    body = json.loads(letter.body)
    key = body["keys"][0]
    hostile = [
        body | {"organization_id": str(left.organization.id)},
        body | {"projects": [body["projects"][0] | {"id": str(left.project.id)}], "keys": []},
        body | {"keys": [key | {"id": str(left.key.id)}]},
        body | {"keys": [key | {"digest": left.key.digest}]},
        body | {"keys": [key, key | {"id": str(left.record.id)}]},
    ]
    for number, each in enumerate(hostile):
        with pytest.raises(StateConflict):
            await pair.serving.take(replace(letter, body=json.dumps(each).encode(), version=60 + number))
    with pytest.raises(InvalidInput):
        await pair.serving.take(replace(letter, audience=None, version=70))
    await pair.deliver()
    changed = body | {"keys": [key | {"digest": "0" * 64}]}
    with pytest.raises(StateConflict):
        await pair.serving.take(replace(letter, body=json.dumps(changed).encode(), version=80))
    stranger = replace(letter, author=PlatformId("cd" * 32), is_deleted=True, version=81)
    await pair.serving.take(stranger)
    assert len((await read_guest(pair))[2]) == 1, "nobody else ends what home admitted"


def test_policies_join_to_all_clauses_of_each_once() -> None:
    assert join_policies("", "region in CN-SX") == "region in CN-SX"
    assert join_policies("region in CN-SX", "region in CN-SX") == "region in CN-SX"
    assert join_policies("", "") == ""
