"""Opening the storage of the platform that settings name, for its own process and for commands that read its books."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from keisan.daemon.folder import DataFolder
from keisan.daemon.settings import PlatformSettings, Settings
from keisan.domain.errors import NotFound
from keisan.kit.clock import Clock
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.base import Storage, Transaction
from keisan.storage.sqlite import open_sqlite


def open_storage(own: PlatformSettings, folder: Path, clock: Clock) -> Storage:
    """Return the storage that the settings name: SQLite in `folder` unless there is a URL."""
    if own.database_url is None:
        return open_sqlite(folder / "keisan.db", clock)
    if own.database_url.startswith("sqlite"):
        return open_sqlite(Path(own.database_url.partition("///")[2]), clock)
    # Its driver is only loaded where it is used: a laptop's start is quicker without.
    from keisan.storage.postgresql import open_postgresql

    return open_postgresql(own.database_url, clock)


@asynccontextmanager
async def open_view(settings: Settings, clock: Clock) -> AsyncIterator[Transaction]:
    """Open a view of the platform that is here, whether it runs or not.

    Raises NotFound without one, StorageUnavailable if its database cannot be read.
    """
    folder = DataFolder(settings.data_directory).platform
    if settings.platform.database_url is None and not folder.exists():
        raise NotFound(f"there is no platform in {settings.data_directory}")
    storage = open_storage(settings.platform, folder, clock)
    try:
        await storage.check()
        async with storage.read() as view:
            yield view
    finally:
        await storage.close()


def open_archive(settings: Settings, clock: Clock) -> ArchiveFolder:
    """Return the archive that the settings name; nothing is made."""
    root = settings.platform.archive_directory or DataFolder(settings.data_directory).archive
    return ArchiveFolder(root.expanduser().absolute(), clock)
