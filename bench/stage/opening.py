"""Opens a stage: engine, platform and gateways started, and all of them ended when the bench is over, however it ends."""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from keisan.domain.key import Secret
from stage.cache import compile_programs, find_cache_folder
from stage.door import start_door
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
# keisan's gateway again, with a site's door between it and the engine.
BEHIND_DOOR = "keisan-http2"


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Make a folder for one run beside the cache, and so on a real disk: the spool's syncs must cost what they cost."""
    # The bench itself must not take the core that it measures.
    os.sched_setaffinity(0, {LOAD_CORE})
    # Ended from outside, it ends what it started: those are in sessions of their own and get no signal of its own.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
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
        if BEHIND_DOOR in wanted:
            door = start_door(folder, engine.sockets)
            stack.callback(door.pinned.end)
            governance = Governance(engine.sockets, door=door.place)
            started = start_gateway(GatewayPlace(folder / BEHIND_DOOR), keys, governance, platform)
            subjects.append(replace(started, name=BEHIND_DOOR.replace("-", "_")))
            _end_later(stack, subjects[-1:])
        if "nginx" in wanted:
            subjects += start_nginx(folder / "nginx", engine, keys)
            _end_later(stack, subjects[-1:])
        peers, missing = _start_peers([name for name in PEERS if name in wanted], folder, engine, keys)
        subjects += peers
        _end_later(stack, peers)
        stage = Stage(programs, engine, platform, tuple(subjects))
        note_trees(stage.list_pinned())
        for subject in subjects:
            warm_subject(programs, subject, WARM_CONNECTIONS)
        yield stage, missing


def _start_peers(
    names: Sequence[str], folder: Path, engine: Engine, keys: Sequence[Secret]
) -> tuple[list[Subject], dict[str, str]]:
    """Start what can be started; return it, and by name why another cannot."""
    started: list[Subject] = []
    missing: dict[str, str] = {}
    try:
        programs = install_peers() if names else folder
    except PeerMissing as fault:
        return [], dict.fromkeys(names, str(fault))
    for name in names:
        try:
            started.append(start_peer(name, programs, folder / name, engine, keys[0]))
        except PeerMissing as fault:
            missing[name] = str(fault)
    return started, missing


def _end_later(stack: ExitStack, subjects: Sequence[Subject]) -> None:
    for subject in subjects:
        if subject.pinned is not None:
            stack.callback(subject.pinned.end)
