"""Who the children are, on disk: after kill -9 of the supervisor the next one ends exactly those, never a recycled pid."""

import json
from pathlib import Path

from keisan.executors.base import Executor, ProcessIdentity
from keisan.executors.process_table import find_process
from keisan.kit.clock import read_boot_id
from keisan.kit.observe import write_log, write_warning
from keisan.kit.private_file import write_private_file


def record_process(path: Path, process_id: int) -> None:
    """Keep who has this pid now; does nothing when it is gone already. Raises OSError."""
    facts = find_process(process_id, read_boot_id())
    if facts is not None:
        identity = facts.identity
        content = {"pid": identity.pid, "started_ticks": identity.started_ticks, "boot_id": identity.boot_id}
        write_private_file(path, json.dumps(content).encode())


def forget_process(path: Path) -> None:
    """Drop the record of a child that is gone."""
    path.unlink(missing_ok=True)


def read_process(path: Path) -> ProcessIdentity | None:
    """Return who is recorded at `path`, None when there is nobody or the file is damaged."""
    try:
        content = json.loads(path.read_bytes())
        return ProcessIdentity(int(content["pid"]), int(content["started_ticks"]), str(content["boot_id"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        write_warning("child.record_damaged", path=str(path))
        return None


async def end_leftover(path: Path, executor: Executor, grace_s: float) -> None:
    """End the recorded process if exactly that one still lives, and drop the record. Raises LaunchFailed as stop does."""
    identity = read_process(path)
    if identity is not None and await executor.is_alive(identity):
        write_log("child.leftover_ended", name=path.stem, process_id=identity.pid)
        await executor.stop(identity, grace_s)
    forget_process(path)
