"""Incarnations of a gateway rise, whatever the clock does."""

from pathlib import Path
from uuid import UUID

import pytest

from keisan.domain.errors import Failed
from keisan.gateway.incarnation_file import begin_incarnation
from keisan.kit.ids import create_id


def test_each_life_is_above_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "incarnation"
    lives = [begin_incarnation(path) for _ in range(5)]
    assert lives == sorted(set(lives))
    assert path.stat().st_mode & 0o777 == 0o600


def test_clock_that_went_back_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "incarnation"
    ahead = UUID(int=create_id().int + (3600_000 << 80))
    path.write_text(str(ahead))
    first, second = begin_incarnation(path), begin_incarnation(path)
    assert ahead < first < second
    assert second.version == 7


@pytest.mark.parametrize("text", ["", "no id", "\x00"])
def test_damaged_file_begins_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "incarnation"
    path.write_text(text)
    assert str(begin_incarnation(path)) == path.read_text()


def test_what_cannot_be_kept_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="cannot be kept"):
        begin_incarnation(tmp_path / "missing" / "incarnation")
