"""The snapshot on disk: read back as written, and never believed when damaged or another platform's."""

from pathlib import Path

import pytest

from keisan.domain.ids import PlatformId
from keisan.gateway.snapshot_file import encode_snapshot, read_snapshot, write_snapshot
from keisan.wire.snapshot import SnapshotTables
from tests.gateway.small_platform import PLATFORM_ID, build_key, build_replica, build_snapshot


def read(path: Path, platform_id: str = PLATFORM_ID) -> object:
    return read_snapshot(path, PlatformId(platform_id))


def test_kept_snapshot_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    tables = SnapshotTables(keys={"k": build_key(("a",))}, replicas={"r": build_replica("/run/e.sock")})
    snapshot = build_snapshot(7, tables)
    write_snapshot(path, encode_snapshot(snapshot))
    assert read(path) == snapshot
    assert path.stat().st_mode & 0o777 == 0o600


def test_none_without_a_file(tmp_path: Path) -> None:
    assert read(tmp_path / "snapshot.json") is None


@pytest.mark.parametrize("change", [(b"sk", b""), (b"JP-13", b"CN-SX"), (b'"schema_version":1', b'"schema_version":9')])
def test_damaged_file_is_not_believed(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    path = tmp_path / "snapshot.json"
    content = encode_snapshot(build_snapshot(7, SnapshotTables(replicas={"sk": build_replica("/run/e.sock")})))
    assert change[0] in content
    write_snapshot(path, content.replace(*change))
    assert read(path) is None


def test_foreign_snapshot_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    write_snapshot(path, encode_snapshot(build_snapshot(7)))
    assert read(path, "cd" * 32) is None
