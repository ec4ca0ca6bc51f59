"""The first start: secrets made once, digests for the platform, the developer's key only until it was shown."""

import json
import os
from pathlib import Path

import pytest

from keisan.control.bootstrap import BootstrapPlan
from keisan.daemon.first_start import (
    FirstStart,
    build_plan,
    ensure_first_start,
    ensure_operator,
    locate_first_start,
    mark_key_shown,
)
from keisan.daemon.folder import DataFolder, prepare_folder
from keisan.daemon.operator_file import read_operator
from keisan.daemon.settings import FirstStartSettings, PlatformSettings
from keisan.domain.access import MachineKind, Role
from keisan.domain.errors import Failed, SettingsInvalid
from keisan.domain.key import Secret, digest_secret
from keisan.domain.limits import JOIN_TOKEN_LIFE_S
from keisan.kit.clock import SystemClock

CLOCK = SystemClock()


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return prepare_folder(tmp_path / "data")


def make_plan(made: FirstStart, wanted: FirstStartSettings | None = None) -> BootstrapPlan:
    return build_plan(made, b"\1" * 32, PlatformSettings(), wanted or FirstStartSettings())


def read_everything(folder: DataFolder) -> str:
    return "".join(path.read_text() for path in folder.root.rglob("*") if path.is_file())


def test_developer_key_is_nowhere_on_disk(folder: DataFolder) -> None:
    made, developer = ensure_first_start(folder, CLOCK)
    assert developer is not None
    assert developer.reveal() not in read_everything(folder)
    assert made.developer == digest_secret(developer)


def test_every_file_is_private(folder: DataFolder) -> None:
    ensure_first_start(folder, CLOCK)
    paths = [folder.root, *folder.root.rglob("*")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in paths)


def test_shown_key_is_never_made_again(folder: DataFolder) -> None:
    made, _ = ensure_first_start(folder, CLOCK)
    mark_key_shown(folder, made)
    again, developer = ensure_first_start(folder, CLOCK)
    assert developer is None
    assert again.developer == made.developer


def test_key_that_nobody_saw_is_replaced_and_all_else_stays(folder: DataFolder) -> None:
    first, first_key = ensure_first_start(folder, CLOCK)
    second, second_key = ensure_first_start(folder, CLOCK)
    assert first_key is not None
    assert second_key is not None
    assert first_key.reveal() != second_key.reveal()
    assert (first.operator, first.gateway, first.site) == (second.operator, second.gateway, second.site)


def test_operator_key_is_what_the_command_line_reads(folder: DataFolder) -> None:
    made = ensure_operator(folder)
    kept = read_operator(folder.operator_path)
    assert kept is not None
    assert digest_secret(Secret(kept.api_key)) == made.operator
    assert ensure_operator(folder) == made


def test_crash_between_the_two_files_keeps_the_operator(folder: DataFolder) -> None:
    made = ensure_operator(folder)
    locate_first_start(folder).unlink()
    assert ensure_operator(folder).operator == made.operator


def test_plan_holds_digests_and_the_catalogue(folder: DataFolder) -> None:
    made, developer = ensure_first_start(folder, CLOCK)
    plan = make_plan(made)
    assert developer is not None
    assert [(key.role, key.digest) for key in plan.keys] == [
        (Role.PLATFORM_ADMIN, made.operator),
        (Role.DEVELOPER, digest_secret(developer)),
    ]
    tokens = {token.kind: token.digest for token in plan.join_tokens}
    for kind, name in ((MachineKind.GATEWAY, "gateway"), (MachineKind.SITE, "site")):
        assert tokens[kind] == digest_secret(Secret(folder.locate_join_token(name).read_text()))
    [model] = plan.models
    assert (model.facts.name, model.price.currency) == ("smollm2-135m-instruct", "CNY")
    assert model.deployment is not None
    assert model.deployment.replica_count == 1
    assert plan.site is not None
    assert (plan.site.region, plan.organization_name, plan.project_name) == ("JP-13", "default", "default")


def test_platform_alone_plans_no_site_and_no_model(folder: DataFolder) -> None:
    plan = make_plan(ensure_operator(folder))
    assert (plan.site, plan.models, plan.join_tokens, len(plan.keys)) == (None, (), (), 1)


def test_model_that_the_catalogue_lacks_is_a_fault(folder: DataFolder) -> None:
    made, _ = ensure_first_start(folder, CLOCK)
    with pytest.raises(SettingsInvalid, match="expected one of smollm2-135m-instruct, got 'gpt'"):
        make_plan(made, FirstStartSettings(model="gpt"))


def age_token(folder: DataFolder, name: str) -> str:
    path = folder.locate_join_token(name)
    old_s = CLOCK.now().timestamp() - JOIN_TOKEN_LIFE_S
    os.utime(path, (old_s, old_s))
    return path.read_text()


def test_old_token_of_a_machine_that_never_joined_is_replaced(folder: DataFolder) -> None:
    ensure_first_start(folder, CLOCK)
    old = age_token(folder, "gateway")
    (folder.gateway / "identity.json").write_text(json.dumps({"secret": "x", "machine_id": None}))
    made, _ = ensure_first_start(folder, CLOCK)
    token = folder.locate_join_token("gateway").read_text()
    assert token != old
    assert made.gateway == digest_secret(Secret(token))


def test_old_token_of_a_machine_that_has_joined_is_left(folder: DataFolder) -> None:
    ensure_first_start(folder, CLOCK)
    old = age_token(folder, "site")
    (folder.site / "identity.json").write_text(json.dumps({"secret": "x", "machine_id": "y"}))
    ensure_first_start(folder, CLOCK)
    assert folder.locate_join_token("site").read_text() == old


@pytest.mark.parametrize("content", ["", "[]", '{"operator": "x", "unknown": 1}'])
def test_damaged_file_is_not_overwritten(folder: DataFolder, content: str) -> None:
    locate_first_start(folder).write_text(content)
    with pytest.raises(Failed, match="damaged"):
        ensure_first_start(folder, CLOCK)
    assert locate_first_start(folder).read_text() == content
