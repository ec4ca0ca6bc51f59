"""Opens a stage: engine, platform and gateways started, and all of them ended when the bench is over, however it ends."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from keisan.domain.key import Secret
from stage.cache import compile_programs, find_cache_folder
from stage.engine import Engine, start_engine, start_platform
from stage.gateway import GatewayPlace, start_gateway
from stage.nginx import start_nginx
from stage.peer import PEERS, PeerMissing, install_peers, start_peer
from stage.process import LOAD_CORE, note_trees
from stage.snapshot import Governance, create_keys
from stage.subject import Subject, get_engine_itself, write_keys
from stage.window import Stage, warm_subject

WARM_CONNECTIONS = 64
EVERYONE = frozenset({"keisan", "nginx", *PEERS})


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder for one run beside the cache, and so on a real disk: the spool's syncs must cost what they cost."""
    # The bench itself must not take the core that it measures.
    os.sched_setaffinity(0, {LOAD_CORE})
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=find_cache_folder()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def open_stage(folder: Path, wanted: Collection[str] = EVERYONE) -> Iterator[tuple[Stage, dict[str, str]]]:
    """Start the wanted gateways; yield the stage, and by peer why it is missing."""
    with ExitStack() as stack:
        programs, keys = compile_programs(), create_keys()
        engine = start_engine(programs, folder, "engine")
        stack.callback(engine.pinned.end)
        platform = start_platform(programs, folder)
        stack.callback(platform.pinned.end)
        subjects = [get_engine_itself(engine, write_keys(folder / "keys", keys))]
        if "keisan" in wanted:
            subjects.append(start_gateway(GatewayPlace(folder / "keisan"), keys, Governance(engine.sockets), platform))
            _end_later(stack, subjects[-1:])
        if "nginx" in wanted:
            subjects += start_nginx(folder / "nginx", engine, keys)
            _end_later(stack, subjects[-1:])
        missing = {}
        for name in [peer for peer in PEERS if peer in wanted]:
            try:
                subjects.append(_start_peer(name, folder, engine, keys))
                _end_later(stack, subjects[-1:])
            except PeerMissing as fault:
                missing[name] = str(fault)
        stage = Stage(programs, engine, platform, tuple(subjects))
        note_trees(stage.list_pinned())
        for subject in subjects:
            warm_subject(programs, subject, WARM_CONNECTIONS)
        yield stage, missing


def _start_peer(name: str, folder: Path, engine: Engine, keys: Sequence[Secret]) -> Subject:
    return start_peer(name, install_peers(), folder / name, engine, keys[0])


def _end_later(stack: ExitStack, subjects: Sequence[Subject]) -> None:
    for subject in subjects:
        if subject.pinned is not None:
            stack.callback(subject.pinned.end)
