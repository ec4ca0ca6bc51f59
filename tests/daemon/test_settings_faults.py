"""Faults in words: where, what was expected, what came; never a value that may be a secret."""

import pytest
from pydantic import ValidationError

from keisan.daemon.settings import Settings
from keisan.daemon.settings_faults import list_faults


def list_of(**tables: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"data_directory": "d", **tables})
    return list(list_faults(caught.value))


def test_kinds_of_faults() -> None:
    assert list_of(gateway={"worker_threads": "many"}) == [
        "gateway.worker_threads: expected a valid integer, got 'many'"
    ]
    assert list_of(gateway={"litsen": 1}) == ["gateway.litsen: expected a known key, got one that names no setting"]
    assert list_of(site=5) == ["site: expected a valid dictionary or instance of SiteSettings, got 5"]


def test_missing_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({})
    assert list(list_faults(caught.value)) == ["data_directory: expected a value, got nothing"]


def test_url_with_a_password_is_not_shown() -> None:
    [fault] = list_of(platform={"database_url": "mysql://root:secret@db"})
    assert fault.startswith("platform.database_url: expected pattern")
    assert fault.endswith("got a text")
    assert "secret" not in fault
