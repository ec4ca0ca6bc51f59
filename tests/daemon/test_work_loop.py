"""Which loop takes which work."""

from pathlib import Path

from keisan.control.context import Control
from keisan.control.pulse import Pulse
from keisan.daemon.settings import PlatformSettings
from keisan.daemon.work_loop import build_deliverers, build_loops, build_serving_loop
from keisan.domain.ids import hash_public_key
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import DELIVERIES_OPEN_MAX
from keisan.kit.clock import SystemClock
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.sqlite import open_sqlite


async def test_each_noun_has_its_loop_and_no_other(tmp_path: Path) -> None:
    """A noun that no loop takes would wait for ever."""
    storage = open_sqlite(tmp_path / "keisan.db", SystemClock())
    control = Control(
        storage, SystemClock(), hash_public_key(b"\x07" * 32), archive=ArchiveFolder(tmp_path, SystemClock())
    )
    pulse = Pulse(control)
    loops = build_loops(PlatformSettings(), control, pulse)
    taken = [noun for loop in (*loops.inside, *loops.outside) for noun in loop.reconcilers]
    several = [WorkNoun.WEBHOOK] * (DELIVERIES_OPEN_MAX - 1)
    assert sorted(taken) == sorted([*WorkNoun, *several])
    assert all(loop.pulse is pulse for loop in (*loops.inside, *loops.outside))
    outside = {noun for loop in loops.outside for noun in loop.reconcilers}
    assert outside == {WorkNoun.WEBHOOK, WorkNoun.SERVING_CHALLENGE, WorkNoun.LINK, WorkNoun.NAME}
    assert len(build_deliverers(control)) == DELIVERIES_OPEN_MAX
    assert build_serving_loop(control).leases_max == 1
    await storage.close()
