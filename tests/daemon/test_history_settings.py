"""Settings of history: one place, terms that fit each other, secrets that are not shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from keisan.daemon.history_settings import DISK_BYTES_MIN, HistorySettings
from keisan.daemon.settings import load_settings
from keisan.domain.history import HistoryTerms


def test_defaults_are_the_terms_of_the_domain() -> None:
    assert HistorySettings().terms == HistoryTerms()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"directory": "/a", "s3_bucket": "abc"}, "not both"),
        ({"s3_url": "http://x:1"}, "an s3_bucket beside"),
        ({"s3_bucket": "abc", "s3_access_key": "a"}, "together"),
        ({"minute_days": 1}, "sample_days <= minute_days"),
        ({"disk_bytes_max": DISK_BYTES_MIN - 1}, "greater than"),
        ({"s3_bucket": "../x"}, "pattern"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        HistorySettings.model_validate(wrong)


def test_a_secret_comes_by_the_environment_and_is_not_shown(tmp_path: Path) -> None:
    settings = load_settings(
        {"data_directory": str(tmp_path)},
        {
            "KEISAN_PLATFORM__HISTORY__S3_BUCKET": "keisan/history",
            "KEISAN_PLATFORM__HISTORY__S3_ACCESS_KEY": "a",
            "KEISAN_PLATFORM__HISTORY__S3_SECRET_KEY": "hidden",
        },
        None,
    )
    assert "hidden" not in repr(settings)
    assert settings.platform.history.s3_secret_key is not None
