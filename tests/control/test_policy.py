"""Policies as they are set: normalised, refused where they can never match, and told of where a parent's change does it."""

from dataclasses import replace
from unittest.mock import ANY

import pytest

from keisan.control.context import Control
from keisan.control.key import create_key, update_key
from keisan.control.organization import create_organization, update_organization
from keisan.control.policy import NAMED_MAX, explain_policy, find_conflicting, note_conflicts, settle_policy
from keisan.control.project import create_project, update_project
from keisan.domain.access import Role
from keisan.domain.catalog import Catalog
from keisan.domain.errors import InvalidInput, PermissionDenied
from keisan.domain.policy import Outcome
from keisan.wire.key import KeyCreate, KeyUpdate
from keisan.wire.organization import OrganizationCreate, OrganizationUpdate
from keisan.wire.project import ProjectCreate, ProjectUpdate
from tests.control.people import add_key, count_actions, list_events
from tests.domain.samples import build_chip, build_key, build_organization, build_project, name_id
from tests.factories import World
from tests.factories import create_key as make_key

CONFLICT = "region in JP"


@pytest.fixture
def known(control: Control) -> Control:
    """The same control with a catalogue of two chips."""
    chips = (build_chip(), build_chip("ascend-910c", vendor=("Huawei",)))
    return replace(control, catalog=Catalog(chips={chip.id: chip for chip in chips}))


def test_settled_text_is_normalised(known: Control) -> None:
    assert settle_policy(known, " vendor in Huawei,X@B ;; ", ("region in CN",)) == "vendor in Huawei, X @ B"


def test_text_that_would_be_too_long_as_stored_is_refused(known: Control) -> None:
    text = "region in " + ",".join(["CN"] * 600)
    assert len(text) < 2048
    with pytest.raises(InvalidInput, match="as stored"):
        settle_policy(known, text, ())


@pytest.mark.parametrize(
    ("text", "above"), [("region", ()), ("vendor in NVIDIA", ()), ("region in JP", ("", "region in CN")), ("x", ("y",))]
)
def test_policy_that_cannot_be_is_refused(known: Control, text: str, above: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as refused:
        settle_policy(known, text, above)
    assert refused.value.field == "policy"


async def test_each_layer_is_checked_against_those_above_it(known: Control, world: World) -> None:
    admin = await add_key(known, world.left.project, Role.PLATFORM_ADMIN)
    narrow = OrganizationUpdate(policy="region in CN,CN-SX")
    organization = await update_organization(known, admin, world.left.organization.id, 1, narrow)
    assert organization.policy == "region in CN, CN-SX"
    project_id, key_id = world.left.project.id, world.left.key.id
    with pytest.raises(InvalidInput, match=CONFLICT):
        await update_project(known, admin, project_id, 1, ProjectUpdate(policy=CONFLICT))
    project = await update_project(known, admin, project_id, 1, ProjectUpdate(policy="region in CN-SX"))
    with pytest.raises(InvalidInput, match="region in CN-SH"):
        await update_key(known, admin, key_id, 1, KeyUpdate(policy="region in CN-SH"))
    with pytest.raises(InvalidInput, match=CONFLICT):
        await create_key(known, admin, KeyCreate(name="new", project_id=project.id, policy=CONFLICT))
    body = ProjectCreate(name="new", organization_id=organization.id, policy=CONFLICT)
    with pytest.raises(InvalidInput, match=CONFLICT):
        await create_project(known, admin, body)
    with pytest.raises(InvalidInput, match="vendor in NVIDIA"):
        await create_organization(known, admin, OrganizationCreate(name="new", policy="vendor in NVIDIA"))
    made = await create_key(known, admin, KeyCreate(name="new", project_id=project.id, policy=" vendor in Huawei"))
    assert made.key.policy == "vendor in Huawei"
    assert (await update_key(known, admin, key_id, 1, KeyUpdate(policy="region in CN"))).policy == "region in CN"


async def test_change_above_stands_and_tells_whom_it_leaves_without_a_match(known: Control, world: World) -> None:
    admin = await add_key(known, world.left.project, Role.PLATFORM_ADMIN)
    side = world.left
    await update_project(known, admin, side.project.id, 1, ProjectUpdate(policy="region in CN"))
    await update_key(known, admin, side.key.id, 1, KeyUpdate(policy="region in CN-SX"))
    changed = await update_organization(known, admin, side.organization.id, 1, OrganizationUpdate(policy=CONFLICT))
    assert changed.policy == CONFLICT
    event = (await list_events(known))[-1]
    assert (event.action, event.noun_id) == ("organization.policy_conflicts", side.organization.id)
    # The key matches nothing because its project does not; it is not told of again.
    assert event.detail == {"count": "1", "named": f"project {side.project.id}"}
    await update_organization(known, admin, side.organization.id, 2, OrganizationUpdate(policy=""))
    await update_project(known, admin, side.project.id, 2, ProjectUpdate(policy="region in CN-SH"))
    event = (await list_events(known))[-1]
    assert (event.action, event.noun_id) == ("project.policy_conflicts", side.project.id)
    assert event.detail == {"count": "1", "named": f"key {side.key.id}"}
    assert (await count_actions(known)).total() == len(await list_events(known))


async def test_change_that_leaves_a_match_tells_nothing_more(known: Control, world: World) -> None:
    admin = await add_key(known, world.left.project, Role.PLATFORM_ADMIN)
    await update_key(known, admin, world.left.key.id, 1, KeyUpdate(policy="region in CN-SX"))
    await update_organization(known, admin, world.left.organization.id, 1, OrganizationUpdate(policy="region in CN"))
    # Of another organization, whose calls stay as they are.
    await update_organization(known, admin, world.right.organization.id, 1, OrganizationUpdate(policy=CONFLICT))
    assert [event.action for event in await list_events(known)][-3:] == [
        "key.updated",
        "organization.updated",
        "organization.updated",
    ]


async def test_child_in_conflict_can_be_changed_and_freed(known: Control, world: World) -> None:
    admin = await add_key(known, world.left.project, Role.PLATFORM_ADMIN)
    await update_project(known, admin, world.left.project.id, 1, ProjectUpdate(policy="region in CN"))
    await update_organization(known, admin, world.left.organization.id, 1, OrganizationUpdate(policy=CONFLICT))
    renamed = await update_project(known, admin, world.left.project.id, 2, ProjectUpdate(name="other"))
    assert renamed.policy == "region in CN"
    assert (await update_project(known, admin, world.left.project.id, 3, ProjectUpdate(policy=""))).policy == ""


async def test_event_names_some_and_counts_all(known: Control, world: World) -> None:
    organization = replace(world.left.organization, policy=CONFLICT)
    keys = [replace(make_key(world.left.project), policy="region in CN") for _ in range(NAMED_MAX + 2)]
    async with known.storage.write() as transaction:
        for key in keys:
            await transaction.keys.insert(key)
        await note_conflicts(transaction, "control", organization)
    [event] = await list_events(known)
    assert event.detail == {"count": str(NAMED_MAX + 2), "named": ANY}
    assert event.detail["named"].count("key ") == NAMED_MAX


def test_keys_of_other_projects_and_of_projects_in_conflict_are_left_out() -> None:
    organization = build_organization(policy="region in CN")
    calm, torn = build_project(), build_project(id=name_id(2, 2), policy=CONFLICT)
    own = build_key(policy=CONFLICT)
    keys = [own, build_key(project_id=torn.id, policy=CONFLICT), build_key(project_id=name_id(2, 3), policy=CONFLICT)]
    assert find_conflicting(organization, [calm, torn], keys) == [torn, own]
    assert find_conflicting(organization, [calm], [build_key()]) == []


async def test_explanation_speaks_of_chips_and_leaves_places_open(known: Control, world: World) -> None:
    asker = await add_key(known, world.left.project, Role.DEVELOPER)
    found = explain_policy(known, asker, "region in JP; vendor in Huawei")
    assert (found.policy, found.clauses) == ("region in JP; vendor in Huawei", ("region in JP", "vendor in Huawei"))
    told = [(line.chip, line.outcome, line.clause) for line in found.chips]
    assert told == [("ascend-910c", Outcome.HOLDS, None), ("cpu-x86-64", Outcome.UNKNOWN, "vendor in Huawei")]
    refused = explain_policy(known, asker, "chip not in cpu-x86-64")
    assert refused.chips[1].outcome is Outcome.FAILS


async def test_explanation_needs_the_right_to_read(known: Control, world: World) -> None:
    with pytest.raises(PermissionDenied):
        explain_policy(known, world.gateway.to_principal(), "")
    asker = await add_key(known, world.left.project, Role.DEVELOPER)
    with pytest.raises(InvalidInput):
        explain_policy(known, asker, "vendor in NVIDIA")
