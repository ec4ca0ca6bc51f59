"""The snapshot on disk: what a gateway serves from when it starts without its platform (D2)."""

from pathlib import Path

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import PlatformId
from keisan.kit.observe import write_warning
from keisan.kit.private_file import write_private_file
from keisan.wire.snapshot import Snapshot, check_snapshot


def write_snapshot(path: Path, content: bytes) -> None:
    """Keep an encoded snapshot, whole and on disk when this returns; raises OSError."""
    write_private_file(path, content)


def read_snapshot(path: Path, platform_id: PlatformId) -> Snapshot | None:
    """Return the kept snapshot; None if there is none, it is damaged, or it is another platform's."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        snapshot = Snapshot.model_validate_json(content)
        check_snapshot(snapshot)
    except (ValueError, InvalidInput) as fault:
        write_warning("snapshot.file_damaged", path=str(path), fault=str(fault)[:500])
        return None
    if snapshot.platform_id != platform_id:
        write_warning("snapshot.file_foreign", path=str(path), platform_id=snapshot.platform_id)
        return None
    return snapshot
