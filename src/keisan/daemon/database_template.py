"""One migrated, empty database, and copies of it for platforms that are started together: a second of the processor each.

It holds the schema and nothing else: no platform, no identity, no key. A platform that finds a copy looks at its revision as
at any other, and makes in it what a first start makes.
"""

import os
import shutil
from pathlib import Path

from keisan.kit.clock import Clock
from keisan.kit.private_file import create_private_folder, sync_folder

NAME = "keisan.db"


async def ensure_template(folder: Path, clock: Clock) -> Path:
    """Return the template of this release's schema in `folder`, made if there is none.

    Raises StorageUnavailable or OSError. It is under its name only once it is whole.
    """
    # Only for whoever makes one: SQLAlchemy and Alembic.
    from keisan.storage.migration import name_newest_revision

    # As above.
    from keisan.storage.sqlite import open_sqlite

    path, unfinished = folder / f"schema-{name_newest_revision()}.db", folder / "unfinished.db"
    if not _make_room(path, unfinished):
        return path
    storage = open_sqlite(unfinished, clock)
    try:
        await storage.migrate()
    finally:
        # The last connection to close writes the log into the file and takes the log away.
        await storage.close()
    _move_whole(unfinished, path)
    return path


def copy_template(template: Path, folder: Path) -> bool:
    """Give a platform's folder a copy unless it has a database, and tell whether it was given one; raises OSError."""
    path = folder / NAME
    if path.exists():
        return False
    unfinished = folder / f"{NAME}.copy"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as target, template.open("rb") as source:
        shutil.copyfileobj(source, target)
    _move_whole(unfinished, path)
    return True


def _make_room(path: Path, unfinished: Path) -> bool:
    """Tell whether the template is still to be made, with what an earlier try left taken away."""
    if path.exists():
        return False
    create_private_folder(path.parent)
    for left in path.parent.glob(f"{unfinished.name}*"):
        left.unlink()
    return True


def _move_whole(unfinished: Path, path: Path) -> None:
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.rename(path)
    sync_folder(path.parent)
