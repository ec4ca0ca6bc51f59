"""History from settings: files in the data directory, elsewhere, or in a bucket; nothing is made before it is needed."""

from pathlib import Path

from keisan.control.context import Control
from keisan.daemon.history import open_history, open_place
from keisan.daemon.history_settings import HistorySettings
from keisan.storage.sqlite import open_sqlite
from tests.factories import PLATFORM_ID, FixedClock


def test_files_are_where_the_settings_say(tmp_path: Path) -> None:
    assert open_place(HistorySettings(), tmp_path / "files").root == str(tmp_path / "files")
    assert open_place(HistorySettings(directory=tmp_path / "x"), tmp_path).root == str(tmp_path / "x")
    bucket = HistorySettings.model_validate(
        {"s3_bucket": "keisan/history", "s3_url": "http://127.0.0.1:1", "s3_access_key": "a", "s3_secret_key": "b"}
    )
    assert open_place(bucket, tmp_path).root == "keisan/history"


def test_nothing_is_made_before_there_is_something(tmp_path: Path) -> None:
    clock = FixedClock()
    control = Control(open_sqlite(tmp_path / "keisan.db", clock), clock, PLATFORM_ID)
    history = open_history(control, HistorySettings(sample_days=3), tmp_path / "history")
    assert history.keeper.terms.sample_days == 3
    assert not (tmp_path / "history").exists()
