"""Opening the storage that settings name."""

from pathlib import Path

import pytest

from keisan.daemon.opening import open_storage
from keisan.daemon.settings import PlatformSettings
from keisan.kit.clock import SystemClock
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "sqlite"),
        ("sqlite:///{folder}/other.db", "sqlite"),
        ("postgresql+asyncpg://someone@127.0.0.1:1/keisan", "postgresql"),
    ],
)
async def test_storage_is_the_named_one(tmp_path: Path, url: str | None, expected: str) -> None:
    own = PlatformSettings(database_url=url.format(folder=tmp_path) if url else None)
    storage = open_storage(own, tmp_path, SystemClock())
    alike = {
        "sqlite": open_sqlite(tmp_path / "alike.db", SystemClock()),
        "postgresql": open_postgresql("postgresql+asyncpg://someone@127.0.0.1:1/keisan", SystemClock()),
    }
    assert type(storage) is type(alike[expected])
    assert (tmp_path / "keisan.db").exists() == (url is None)
    for opened in (storage, *alike.values()):
        await opened.close()
