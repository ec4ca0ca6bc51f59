"""Building the platform: the storage that is named."""

from pathlib import Path

import pytest

from keisan.control.context import Control
from keisan.control.pulse import Pulse
from keisan.daemon.folder import DataFolder
from keisan.daemon.operator_file import OperatorFile, note_gateway, write_operator
from keisan.daemon.platform import build_gateway_finder, open_storage
from keisan.daemon.settings import ChallengeSettings, PlatformSettings
from keisan.daemon.work_loop import build_deliverers, build_loops, build_serving_loop
from keisan.domain.ids import hash_public_key
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import DELIVERIES_OPEN_MAX
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "sqlite"),
        ("sqlite:///{folder}/other.db", "sqlite"),
        ("postgresql+asyncpg://someone@127.0.0.1:1/keisan", "postgresql"),
    ],
)
async def test_storage_is_the_named_one(tmp_path: Path, url: str | None, expected: str) -> None:
    own = PlatformSettings(database_url=url.format(folder=tmp_path) if url else None)
    storage = open_storage(own, tmp_path, SystemClock())
    alike = {
        "sqlite": open_sqlite(tmp_path / "alike.db", SystemClock()),
        "postgresql": open_postgresql("postgresql+asyncpg://someone@127.0.0.1:1/keisan", SystemClock()),
    }
    assert type(storage) is type(alike[expected])
    assert (tmp_path / "keisan.db").exists() == (url is None)
    for opened in (storage, *alike.values()):
        await opened.close()


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


def test_gateway_is_the_named_one_or_else_the_one_beside_the_platform(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    find_gateway = build_gateway_finder(ChallengeSettings(), folder)
    assert find_gateway() is None
    write_operator(folder.operator_path, OperatorFile("sk-keisan-x", ca_path="/ca.pem"))
    assert find_gateway() is None
    note_gateway(folder.operator_path, "http://127.0.0.1:8000")
    # The operator's key stays where it is: a challenge has a key of its own.
    assert find_gateway() == HttpTarget("http://127.0.0.1:8000", ca_path="/ca.pem")
    named = build_gateway_finder(ChallengeSettings(gateway_url="https://gateway.example"), folder)
    assert named() == HttpTarget("https://gateway.example")
