"""The name of this life of the process (R1): a UUIDv7 above every one before it, whatever the wall clock does.

The platform ends the tickets of lower ones, so a report of a process that is gone ends nothing of this one's.
"""

from pathlib import Path
from uuid import UUID

from keisan.domain.errors import Failed
from keisan.kit.ids import create_id
from keisan.kit.observe import write_warning
from keisan.kit.private_file import write_private_file


def begin_incarnation(path: Path) -> UUID:
    """Return a new incarnation, kept on disk before it is used; raises Failed if it cannot be kept."""
    last, fresh = _read_last(path), create_id()
    incarnation = fresh if last is None or fresh > last else UUID(int=last.int + 1)
    try:
        write_private_file(path, str(incarnation).encode())
    except OSError as fault:
        raise Failed(f"the incarnation cannot be kept at {path}", str(fault)) from fault
    return incarnation


def _read_last(path: Path) -> UUID | None:
    try:
        return UUID(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as fault:
        # Then the clock alone puts the new one above the last; if it does not, old tickets end by time.
        write_warning("incarnation.file_damaged", path=str(path), fault=str(fault)[:500])
        return None
