"""The first start: everything at once, and at every later start nothing that is there already."""

from dataclasses import replace

import pytest

from keisan.control.bootstrap import BootstrapPlan, PlannedJoinToken, PlannedKey, prepare_platform
from keisan.control.context import Control
from keisan.control.deployment import delete_deployment
from keisan.control.key import revoke_key
from keisan.control.organization import update_organization
from keisan.domain.access import MachineKind, Role
from keisan.domain.errors import InvalidInput, StateConflict
from keisan.domain.page import PageRequest
from keisan.domain.snapshot import SnapshotTable
from keisan.storage.database import Database
from keisan.wire.organization import OrganizationUpdate
from tests.api.stage import build_plan, digest_text
from tests.control.people import EVERYTHING, count_actions, list_touched, take_work
from tests.factories import FixedClock

DEVELOPER = PlannedKey("developer", Role.DEVELOPER, digest_text("sk-keisan-developer"))
TOKENS = (
    PlannedJoinToken(MachineKind.GATEWAY, digest_text("jt-keisan-gateway")),
    PlannedJoinToken(MachineKind.SITE, digest_text("jt-keisan-site")),
)


@pytest.fixture
def plan() -> BootstrapPlan:
    planned = build_plan()
    return replace(planned, keys=(*planned.keys, DEVELOPER), join_tokens=TOKENS)


async def test_first_start_creates_everything(storage: Database, clock: FixedClock, plan: BootstrapPlan) -> None:
    outcome = await prepare_platform(storage, clock, plan)
    assert outcome.created == (
        "platform small",
        "organization alpha",
        "project first",
        "key admin",
        "key developer",
        "provider hikari",
        "site cellar",
        "join token for a gateway",
        "join token for a site",
        "model smollm2-135m-instruct",
        "price of smollm2-135m-instruct",
        "deployment of smollm2-135m-instruct",
    )
    control = Control(storage, clock, outcome.platform.id)
    async with storage.read() as view:
        assert await view.platform.get() == outcome.platform
        token = await view.join_tokens.find_by_digest(TOKENS[1].digest)
        [deployment] = (await view.deployments.list(EVERYTHING, PageRequest())).items
        models = await view.models.list_by_ids(EVERYTHING, None)
        assert (await view.prices.list_current(EVERYTHING, None, clock.now())).keys() == {models[0].id}
    assert token is not None
    assert outcome.site is not None
    assert token.site_id == outcome.site.id
    assert [lease.noun_id for lease in await take_work(control)] == [deployment.id]
    assert {table for table, _ in await list_touched(control, 0)} == {
        SnapshotTable.ORGANIZATIONS,
        SnapshotTable.PROJECTS,
        SnapshotTable.KEYS,
        SnapshotTable.MODELS,
        SnapshotTable.PRICES,
    }
    assert (await count_actions(control)).total() == len(outcome.created)


async def test_second_start_creates_nothing(storage: Database, clock: FixedClock, plan: BootstrapPlan) -> None:
    first = await prepare_platform(storage, clock, plan)
    again = await prepare_platform(storage, clock, plan)
    assert again == replace(first, created=())
    assert (await count_actions(Control(storage, clock, first.platform.id))).total() == len(first.created)


async def test_what_people_changed_stays(storage: Database, clock: FixedClock, plan: BootstrapPlan) -> None:
    first = await prepare_platform(storage, clock, plan)
    control = Control(storage, clock, first.platform.id)
    async with storage.read() as view:
        admin_key = await view.keys.find_by_digest(plan.keys[0].digest)
        developer_key = await view.keys.find_by_digest(DEVELOPER.digest)
        [deployment] = (await view.deployments.list(EVERYTHING, PageRequest())).items
    assert admin_key is not None
    assert developer_key is not None
    admin = admin_key.to_principal()
    await update_organization(control, admin, first.organization.id, 1, OrganizationUpdate(name="renamed"))
    await revoke_key(control, admin, developer_key.id)
    await delete_deployment(control, admin, deployment.id, 1)
    again = await prepare_platform(storage, clock, plan)
    assert again.created == ()
    assert again.organization.name == "renamed"
    async with storage.read() as view:
        assert len((await view.deployments.list(EVERYTHING, PageRequest())).items) == 1
        revoked = await view.keys.find_by_digest(DEVELOPER.digest)
    assert revoked is not None
    assert revoked.revoked_at is not None


async def test_later_start_adds_what_is_new(storage: Database, clock: FixedClock, plan: BootstrapPlan) -> None:
    await prepare_platform(storage, clock, replace(plan, keys=plan.keys[:1], models=(), site=None, join_tokens=()))
    outcome = await prepare_platform(storage, clock, plan)
    assert outcome.created[0] == "key developer"
    assert outcome.created[-1] == "deployment of smollm2-135m-instruct"


async def test_foreign_database_is_refused(storage: Database, clock: FixedClock, plan: BootstrapPlan) -> None:
    await prepare_platform(storage, clock, plan)
    with pytest.raises(StateConflict, match="belongs to the platform"):
        await prepare_platform(storage, clock, replace(plan, public_key=b"\x08" * 32))
    with pytest.raises(InvalidInput):
        await prepare_platform(storage, clock, replace(plan, public_key=b"short"))


async def test_token_for_a_site_needs_a_site(storage: Database, clock: FixedClock, plan: BootstrapPlan) -> None:
    with pytest.raises(StateConflict, match="needs a site"):
        await prepare_platform(storage, clock, replace(plan, site=None))
    async with storage.read() as view:
        assert await view.platform.find() is None


async def test_lists_longer_than_a_page_are_walked(
    storage: Database, clock: FixedClock, plan: BootstrapPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keisan.control.bootstrap.PAGE_ITEMS_MAX", 1)
    for name in ("a", "b", "c"):
        await prepare_platform(storage, clock, replace(plan, organization_name=name, keys=()))
    again = await prepare_platform(storage, clock, replace(plan, organization_name="c", keys=()))
    assert (again.organization.name, again.created) == ("c", ())
