"""Building the platform: the storage that is named."""

from pathlib import Path

import pytest

from keisan.daemon.folder import DataFolder
from keisan.daemon.operator_file import OperatorFile, note_gateway, write_operator
from keisan.daemon.platform import build_gateway_finder, open_storage
from keisan.daemon.settings import ChallengeSettings, PlatformSettings
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget
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


def test_gateway_is_the_named_one_or_else_the_one_beside_the_platform(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    find_gateway = build_gateway_finder(ChallengeSettings(), folder)
    assert find_gateway() is None
    write_operator(folder.operator_path, OperatorFile("sk-keisan-x", ca_path="/ca.pem"))
    assert find_gateway() is None
    note_gateway(folder.operator_path, "http://127.0.0.1:8000")
    # The operator's key stays where it is: a challenge has a key of its own.
    assert find_gateway() == HttpTarget("http://127.0.0.1:8000", ca_path="/ca.pem")
    named = build_gateway_finder(ChallengeSettings(gateway_url="https://gateway.example"), folder)
    assert named() == HttpTarget("https://gateway.example")
