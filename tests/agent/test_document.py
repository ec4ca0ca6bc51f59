"""Documents with a schema version."""

from pathlib import Path

import pytest

from keisan.agent.document import read_document, write_document


def test_document_comes_back_private(tmp_path: Path) -> None:
    write_document(tmp_path / "a.json", {"name": "x"})
    assert read_document(tmp_path / "a.json")["name"] == "x"
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1'])
def test_another_document_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError):
        read_document(tmp_path / "a.json")
