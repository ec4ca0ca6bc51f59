"""Whom the command line speaks to: options over variables over the kept file, and no kept key for a stranger."""

from pathlib import Path

import pytest

from keisan.cli.session import ConnectionOptions
from keisan.daemon.connection import resolve_target
from keisan.daemon.operator_file import OperatorFile, write_operator
from keisan.domain.errors import Failed, Unauthenticated, Unavailable

KEPT = OperatorFile("sk-kept", "http://platform", "http://gateway")


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KEISAN_PLATFORM_URL", "KEISAN_GATEWAY_URL", "KEISAN_API_KEY", "KEISAN_CA_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KEISAN_DATA_DIRECTORY", str(tmp_path))
    return tmp_path


def test_kept_file_is_enough(data: Path) -> None:
    write_operator(data / "operator.json", KEPT)
    target = resolve_target(ConnectionOptions())
    assert (target.platform_url, target.gateway_url, target.api_key.reveal()) == (
        "http://platform",
        "http://gateway",
        "sk-kept",
    )


def test_named_folder_over_the_usual_one(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    write_operator(other / "operator.json", OperatorFile("sk-other", "http://other"))
    assert resolve_target(ConnectionOptions(data=other)).platform_url == "http://other"


def test_options_over_variables_over_the_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_operator(data / "operator.json", KEPT)
    monkeypatch.setenv("KEISAN_PLATFORM_URL", "http://variable")
    monkeypatch.setenv("KEISAN_API_KEY", "sk-variable")
    target = resolve_target(ConnectionOptions(platform_url="http://option"))
    assert (target.platform_url, target.gateway_url, target.api_key.reveal()) == (
        "http://option",
        "http://gateway",
        "sk-variable",
    )


@pytest.mark.parametrize(
    "options", [ConnectionOptions(platform_url="http://stranger"), ConnectionOptions(gateway_url="http://stranger")]
)
def test_kept_key_never_goes_to_another_address(data: Path, options: ConnectionOptions) -> None:
    write_operator(data / "operator.json", KEPT)
    with pytest.raises(Unauthenticated):
        resolve_target(options)


def test_nothing_known_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="keisan up"):
        resolve_target(ConnectionOptions())


def test_damaged_file_is_told(data: Path) -> None:
    (data / "operator.json").write_text("{")
    with pytest.raises(Failed, match="damaged"):
        resolve_target(ConnectionOptions())
