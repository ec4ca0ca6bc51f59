"""Names of the archive's files: what is in one, so that whoever writes the same records again replaces the same file."""

import hashlib
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

USAGE_FOLDER = "usage"
SUFFIX = ".parquet"
PARTIAL_SUFFIX = ".partial"
# As many digits as 2^63 has, so that names sort as sequences do.
SEQUENCE_DIGITS = 19


def name_folder(day: date) -> str:
    """Return a day's folder within the archive, as engines that know Hive's partitions read it."""
    return f"{USAGE_FOLDER}/day={day.isoformat()}"


def name_file(day: date, first: int, last: int) -> str:
    """Return the name of the file that holds a day's records of entries `first` to `last`."""
    return f"{name_folder(day)}/{first:0{SEQUENCE_DIGITS}}-{last:0{SEQUENCE_DIGITS}}{SUFFIX}"


def name_before(day: date, first_id: bytes) -> str:
    """Return the name of a file of before the journal, by the least id of its records."""
    return f"{name_folder(day)}/before-{first_id.hex()}{SUFFIX}"


def sweep_folder(root: Path, names: Iterable[str], before: datetime) -> int:
    """Remove files that are not named and were written before an instant: what a crash left. Raises OSError."""
    kept = {root / name for name in names}
    count = 0
    for path in (root / USAGE_FOLDER).glob("day=*/*"):
        is_ours = path.name.endswith((SUFFIX, PARTIAL_SUFFIX))
        if is_ours and path not in kept and path.stat().st_mtime < before.timestamp():
            path.unlink(missing_ok=True)
            count += 1
    return count


def digest_files(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 (hex) of the bytes of those files that there are, by name; raises OSError."""
    digests: dict[str, str] = {}
    for name in names:
        try:
            with (root / name).open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            continue
    return digests
