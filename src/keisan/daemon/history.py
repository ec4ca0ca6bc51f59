"""Builds the history of the fleet from settings."""

from pathlib import Path

from keisan.control.context import Control
from keisan.control.history import History
from keisan.daemon.history_settings import HistorySettings
from keisan.domain.key import Secret
from keisan.storage.base_history import HistoryReader
from keisan.storage.history_journal import Journal
from keisan.storage.history_s3 import S3Options, open_bucket
from keisan.storage.history_seen import SeenFolder
from keisan.storage.history_store import HistoryFileStore, HistoryPlace, open_folder
from keisan.telemetry.history import HistoryIntake
from keisan.telemetry.history_answer import HistoryAnswerer
from keisan.telemetry.history_keeper import HistoryKeeper


def open_history(control: Control, own: HistorySettings, folder: Path) -> History:
    """Return the history that the settings name, with its journal in `folder`; nothing is made, and nothing asked, yet."""
    root = folder.expanduser().absolute()
    journal = Journal(root / "journal", control.clock)
    place = open_place(own, root / "files")
    # Beside a folder's files, for a file is moved there whole only within one disk.
    work = Path(place.root) / ".work" if own.s3_bucket is None else root / "work"
    store = HistoryFileStore(place, work)
    keeper = HistoryKeeper(store, journal, SeenFolder(root / "seen"), control.clock, own.terms)
    answerer = HistoryAnswerer(keeper, lambda: open_reader(store))
    return History(control, HistoryIntake(journal, control.clock), keeper, answerer)


def open_reader(store: HistoryFileStore) -> HistoryReader:
    """Return what answers one question."""
    # A platform that starts does without DuckDB.
    from keisan.storage.history_query import HistoryEngine

    return HistoryEngine(store)


def open_place(own: HistorySettings, usual: Path) -> HistoryPlace:
    """Return where the files are."""
    if own.s3_bucket is None:
        return open_folder((own.directory or usual).expanduser().absolute())
    secret_key = None if own.s3_secret_key is None else Secret(own.s3_secret_key.get_secret_value())
    return open_bucket(own.s3_bucket, S3Options(own.s3_url, own.s3_region, own.s3_access_key, secret_key))
