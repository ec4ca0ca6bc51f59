"""What commands say of tables that they hand in."""

from pathlib import Path

import pytest

from keisan.cli.csv_upload import describe_upload, read_table
from keisan.domain.errors import InvalidInput
from keisan.sdk import UploadAnswer


def test_counts_are_told_where_there_are_any() -> None:
    answer = UploadAnswer(created_count=2, changed_count=0, unchanged_count=0, older_count=1)
    assert describe_upload(answer) == "2 created, 1 older"
    assert describe_upload(UploadAnswer(created_count=0, changed_count=0, unchanged_count=0)) == "no lines"


def test_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "some.csv").write_bytes(b"\xff")
    assert read_table(tmp_path / "some.csv") == b"\xff"
