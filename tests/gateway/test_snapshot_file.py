"""The snapshot on disk: read back as written, and never believed when damaged or another platform's."""

import json
from pathlib import Path

import pytest

from keisan.domain.ids import PlatformId
from keisan.gateway.snapshot_file import read_snapshot, write_snapshot
from keisan.wire.snapshot import Snapshot, SnapshotTables, encode_snapshot
from tests.gateway.small_platform import PLATFORM_ID, build_key, build_replica, build_snapshot

OLDER = Path(__file__).parents[1] / "golden" / "snapshot_before_doors.json"


def read(path: Path, platform_id: str = PLATFORM_ID) -> object:
    return read_snapshot(path, PlatformId(platform_id))


def test_kept_snapshot_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    tables = SnapshotTables(keys={"k": build_key(("a",))}, replicas={"r": build_replica("/run/e.sock")})
    snapshot = build_snapshot(7, tables)
    write_snapshot(path, encode_snapshot(snapshot))
    assert read(path) == snapshot
    assert path.stat().st_mode & 0o777 == 0o600


def test_snapshot_that_an_older_release_kept_is_served_after_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    write_snapshot(path, OLDER.read_bytes())
    kept = read(path)
    assert isinstance(kept, Snapshot)
    assert json.loads(encode_snapshot(kept)) == json.loads(OLDER.read_bytes())


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
