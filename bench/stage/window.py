"""One window: load on one subject while all others stand still, its CPU per call, and whether others' CPU spoilt it.

A call's CPU includes what comes after its answer: the window's CPU ends when the last usage record was handed in.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from stage.cache import Programs
from stage.engine import Engine, Platform
from stage.load import LoadResult, Shape, run_load
from stage.noise import FOREIGN_SHARE_MAX, measure_foreign_share, read_host
from stage.process import Pinned, note_trees, run_alone
from stage.snapshot import KEYS
from stage.subject import Subject

WARM_S_MAX = 60.0
# A thawed process first does what it missed: timers, probes, a poll that ended.
THAW_PAUSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """All that runs while a bench measures."""

    programs: Programs
    engine: Engine
    platform: Platform
    subjects: Sequence[Subject]

    def get_subject(self, name: str) -> Subject:
        """Return a subject by name."""
        return next(subject for subject in self.subjects if subject.name == name)

    def list_pinned(self) -> list[Pinned]:
        """Return each subject's processes once; a process may be two subjects."""
        found: dict[int, Pinned] = {}
        for subject in self.subjects:
            if subject.pinned is not None:
                found[subject.pinned.process.pid] = subject.pinned
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Window:
    """What one window showed. `behind` are records not yet handed in when the load ended, `unsettled` those never seen."""

    subject: str
    load: LoadResult
    cpu_us_per_call: float | None
    resident_bytes: int
    foreign_share: float
    behind: int = 0
    unsettled: int = 0

    @property
    def is_spoilt(self) -> bool:
        """Tell whether foreign CPU makes the window's figures doubtful."""
        return self.foreign_share > FOREIGN_SHARE_MAX


def warm_subject(programs: Programs, subject: Subject, connections: int) -> None:
    """Make the first calls of each key, for which a gateway leases credit and opens connections."""
    before = subject.platform.count() if subject.platform else 0
    shape = Shape(connections, WARM_S_MAX, 0.0, calls=2 * KEYS)
    ended = run_load(programs, (subject.port,), subject.key_path, shape).ended
    if subject.platform:
        subject.platform.wait_for_records(before + ended)


def measure_window(stage: Stage, subject: Subject, shape: Shape) -> Window:
    """Load one subject once; raises RuntimeError if a call failed."""
    if subject.pinned is None:
        return _measure_direct(stage, subject, shape)
    own_ids = _list_own_ids(stage)
    with run_alone([one for one in stage.list_pinned() if one is not subject.pinned]):
        time.sleep(THAW_PAUSE_S)
        return _measure_pinned(stage, (subject, subject.pinned), shape, own_ids)


def _list_own_ids(stage: Stage) -> frozenset[int]:
    started = [stage.engine.pinned, stage.platform.pinned, *stage.list_pinned()]
    note_trees(started)
    return frozenset([os.getpid(), *(one for pinned in started for one in pinned.ids)])


def _measure_direct(stage: Stage, subject: Subject, shape: Shape) -> Window:
    own_ids = _list_own_ids(stage)
    with run_alone(stage.list_pinned()):
        before = read_host(own_ids)
        load = run_load(stage.programs, (subject.port,), subject.key_path, shape)
        after = read_host(own_ids)
    _check_calls(subject, load)
    return Window(subject.name, load, None, 0, measure_foreign_share(before, after, load.cpu_s))


def _measure_pinned(stage: Stage, measured: tuple[Subject, Pinned], shape: Shape, own_ids: frozenset[int]) -> Window:
    subject, pinned = measured
    records_before = subject.platform.count() if subject.platform else 0
    before, cpu_before_ns = read_host(own_ids), pinned.read_cpu_ns()
    load = run_load(stage.programs, (subject.port,), subject.key_path, shape)
    after = read_host(own_ids)
    behind = unsettled = 0
    if subject.platform:
        wanted = records_before + load.ended
        behind = wanted - subject.platform.count()
        if not subject.platform.wait_for_records(wanted):
            unsettled = wanted - subject.platform.count()
    cpu_ns = pinned.read_cpu_ns() - cpu_before_ns
    _check_calls(subject, load)
    return Window(
        subject=subject.name,
        load=load,
        cpu_us_per_call=cpu_ns / 1e3 / max(load.ended, 1),
        resident_bytes=pinned.read_resident_bytes(),
        foreign_share=measure_foreign_share(before, after, load.cpu_s),
        behind=behind,
        unsettled=unsettled,
    )


def _check_calls(subject: Subject, load: LoadResult) -> None:
    if load.failed:
        raise RuntimeError(f"{subject.name}: {load.failed} of {load.ended} calls failed: {load.told}")
