"""operator.json: private, its key masked in every print, its addresses noted without losing the key."""

from pathlib import Path

import pytest

from keisan.daemon.operator_file import OperatorFile, note_gateway, note_platform, read_operator, write_operator
from keisan.domain.errors import Failed


def test_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "operator.json"
    assert read_operator(path) is None
    write_operator(path, OperatorFile("sk-kept"))
    assert path.stat().st_mode & 0o777 == 0o600


def test_addresses_are_noted_and_the_key_stays(tmp_path: Path) -> None:
    path, certificate = tmp_path / "operator.json", tmp_path / "c.pem"
    write_operator(path, OperatorFile("sk-kept"))
    note_platform(path, "https://a", certificate)
    note_gateway(path, "https://b")
    assert read_operator(path) == OperatorFile("sk-kept", "https://a", "https://b", str(certificate))
    assert "sk-kept" not in repr(read_operator(path))
    note_platform(path, "http://a", None)
    assert read_operator(path) == OperatorFile("sk-kept", "http://a", "https://b")


def test_noting_without_a_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="is gone"):
        note_gateway(tmp_path / "operator.json", "http://a")
