"""Who the agent is."""

from pathlib import Path

import pytest

from keisan.agent.identity import build_join, load_identity, mark_joined, save_identity
from keisan.domain.errors import SettingsInvalid
from keisan.domain.key import Secret, digest_secret
from keisan.wire.machine import MachineView
from tests.agent.small_platform import MACHINE_ID, SITE_ID, SmallPlatform


def test_secret_is_kept_private_before_anything_else(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    identity = load_identity(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_identity(path).secret.reveal() == identity.secret.reveal()
    assert load_identity(path).agent_id == identity.agent_id


def test_what_the_platform_says_is_kept(tmp_path: Path) -> None:
    identity = load_identity(tmp_path / "identity.json")
    _, body = SmallPlatform().answer(
        "/api/v1/machines/join", "", build_join(identity, Secret("jt-keisan-test"), "n").model_dump_json().encode()
    )
    joined = mark_joined(identity, MachineView.model_validate_json(body))
    save_identity(tmp_path / "identity.json", joined)
    kept = load_identity(tmp_path / "identity.json")
    assert (kept.machine_id, kept.site_id) == (MACHINE_ID, SITE_ID)


def test_join_hands_in_the_digest_only(tmp_path: Path) -> None:
    identity = load_identity(tmp_path / "identity.json")
    body = build_join(identity, Secret("jt"), "machine")
    assert body.secret_digest == digest_secret(identity.secret)
    assert identity.secret.reveal() not in body.model_dump_json()


def test_join_needs_a_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="expected a join token, got none"):
        build_join(load_identity(tmp_path / "identity.json"), None, "machine")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"schema_version": 1}', '{"schema_version": 1, "agent_id": "x", "secret": ""}']
)
def test_damaged_identity_is_told_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "identity.json").write_text(text)
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load_identity(tmp_path / "identity.json")
    assert (tmp_path / "identity.json").read_text() == text
