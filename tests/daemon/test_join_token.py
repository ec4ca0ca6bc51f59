"""A file with a join token: what is no token is told, and never quoted."""

from pathlib import Path

import pytest

from keisan.daemon.join_token import read_join_token
from keisan.domain.errors import SettingsInvalid


def test_missing_token_is_no_fault_for_one_that_has_joined(tmp_path: Path) -> None:
    assert read_join_token(tmp_path / "none") is None
    assert read_join_token(None) is None


@pytest.mark.parametrize("content", [b"not a token", b"x" * 129, b"\xff", b"\xc3\xa9"])
def test_what_is_no_token_is_told_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="expected a ") as caught:
        read_join_token(path)
    assert (str(path) in caught.value.outside, content.decode(errors="replace") in str(caught.value)) == (True, False)
    with pytest.raises(SettingsInvalid, match="can be read"):
        read_join_token(tmp_path)


def test_bytes_that_are_no_text_are_quoted_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xffjt-keisan-secret")
    with pytest.raises(SettingsInvalid) as refused:
        read_join_token(path)
    assert "keisan-secret" not in f"{refused.value}{refused.value.field}{refused.value.inside}"


def test_emptied_token_is_none(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    assert read_join_token(tmp_path / "token") is None
