"""`keisan identity`: keys are shown and rotated on the host, and the id stays."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from keisan.daemon.folder import DataFolder
from keisan.daemon.identity_command import add_identity_commands
from keisan.daemon.platform_identity import ensure_identity


def run(*words: str) -> Result:
    application = typer.Typer()
    add_identity_commands(application)
    return CliRunner().invoke(application, list(words))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = DataFolder(tmp_path).platform
    folder.mkdir(parents=True)
    return folder / "identity.pem"


def read(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_rotation_adds_a_key_and_keeps_the_id(tmp_path: Path, path: Path) -> None:
    first = ensure_identity(path)
    options = ("--data", str(tmp_path), "--json")
    assert read(run("identity", "show", *options))["public_keys"] == [first.public_key.hex()]
    told = None
    for count in (2, 3):
        told = read(run("identity", "rotate", *options))
        assert len(told["public_keys"]) == count
        assert told["platform_id"] == first.link.platform_id
    assert read(run("identity", "show", *options)) == told
    shown = run("identity", "rotate", "--data", str(tmp_path)).stdout
    assert "key 3: " in shown
    assert "Start the platform again" in shown


def test_without_a_platform_there_is_nothing_to_rotate(tmp_path: Path, path: Path) -> None:
    for word in ("rotate", "show"):
        assert run("identity", word, "--data", str(tmp_path)).exit_code == 1
    assert not path.exists()
