"""A spool on a disk that is full, or turns read-only: new calls are refused, and no record of an old one is lost."""

import asyncio
import os
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.deadline import wait_until_async
from tests.e2e.relay.client import Answer, KeepAliveClient, build_request
from tests.e2e.relay.disk import (
    make_image,
    make_read_only,
    mount_image,
    mount_memory,
    resize_memory,
    run,
    skip_unless_root,
)
from tests.e2e.relay.engine import END, STREAM_HEAD, Asked, build_usage_event, wrap_chunk
from tests.e2e.relay.gateway import start_gateway
from tests.e2e.relay.stage import Setting, Stage, answer_plainly, run_stage

pytestmark = [pytest.mark.e2e, pytest.mark.waits]
MIB = 1 << 20
DISK_BYTES = 2 * MIB
IMAGE_BYTES = 16 * MIB
# A chunk of the spool has room for fewer records than that, whatever their size.
CALLS_MAX = 6_000
RECOVER_S_MAX = 30.0


class PausedCall:
    """A stream that was admitted while all was well, and ends when it is told to."""

    def __init__(self) -> None:
        self.is_begun = asyncio.Event()
        self.is_over = asyncio.Event()

    async def speak(self, asked: Asked) -> None:
        """Send a token, and the rest when told to."""
        await asked.send(STREAM_HEAD)
        await asked.send_token(1)
        self.is_begun.set()
        await self.is_over.wait()
        await asked.send(wrap_chunk(build_usage_event(1)) + wrap_chunk(END), 1)
        asked.close()


async def begin_paused(stage: Stage, group: asyncio.TaskGroup) -> tuple[PausedCall, asyncio.Task[Answer]]:
    """Begin such a call, and let the calls after it be answered at once."""
    paused = PausedCall()
    stage.engine.script = paused.speak
    calling = group.create_task(stage.call(1, is_stream=True))
    await paused.is_begun.wait()
    stage.engine.script = answer_plainly
    return paused, calling


async def call_until_refused(stage: Stage) -> tuple[set[str], Answer]:
    """Call until the gateway takes no more; return the ids of what completed, and the refusal."""
    client, completed = KeepAliveClient(stage.gateway.address), set[str]()
    try:
        for number in range(CALLS_MAX):
            answer = await client.call(build_request(number, is_stream=False))
            if answer.status != 200:
                return completed, answer
            completed.add(answer.record_id)
    finally:
        client.close()
    raise AssertionError(f"{CALLS_MAX} calls are not refused")


async def wait_until_served(stage: Stage) -> str:
    """Wait until a call is served again, and return its record's id."""
    served: list[str] = []
    async with asyncio.timeout(RECOVER_S_MAX):
        while not served:
            answer = await stage.call(1)
            if answer.status == 200:
                served.append(answer.record_id)
            else:
                assert answer.code in {"spool_full", "spool_failed"}, answer
    return served[0]


def fill(folder: Path) -> Path:
    """Take all that is left of a disk with a file, and return it."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        left = os.statvfs(folder)
        os.posix_fallocate(file.fileno(), 0, left.f_bavail * left.f_frsize)
    return ballast


def spool_on_memory(folder: Path) -> AbstractContextManager[None]:
    """Return the mount of a tmpfs with room for one chunk of the spool and little more."""
    return mount_memory(folder, DISK_BYTES)


async def test_full_disk_refuses_new_calls_and_keeps_what_it_has() -> None:
    skip_unless_root()
    async with (
        run_stage(Setting(around_spool=spool_on_memory, has_fixed_port=True)) as stage,
        asyncio.TaskGroup() as group,
    ):
        await stage.settle()
        known = set(stage.platform.records)
        stage.platform.is_away = True
        fill(stage.folder.spool)
        paused, calling = await begin_paused(stage, group)
        completed, refusal = await call_until_refused(stage)
        assert (refusal.status, refusal.code, refusal.headers["retry-after"]) == (503, "spool_full", "1")
        asked = len(stage.engine.log)
        assert [(await stage.call(1)).code for _ in range(20)] == ["spool_full"] * 20
        assert len(stage.engine.log) == asked, "a refused call reached the engine"
        paused.is_over.set()
        answer = await calling
        assert answer.body.endswith(END), "the call that was open has lost its room"
        completed.add(answer.record_id)
        # A gateway that dies now starts on the full disk, with all records.
        stage.gateway.kill()
        await stage.restart()
        assert (await stage.call(1)).code in {None, "spool_full"}
        # The disk stays as full as it is: what the platform takes makes room.
        stage.platform.is_away = False
        completed.add(await wait_until_served(stage))
        await stage.wait_until_quiet()
        assert completed <= set(stage.platform.records) - known
        # Room from elsewhere helps too.
        stage.platform.is_away = True
        more, _ = await call_until_refused(stage)
        resize_memory(stage.folder.spool, 2 * DISK_BYTES)
        more.add(await wait_until_served(stage))
        stage.platform.is_away = False
        await stage.check_sound()
        assert more <= set(stage.platform.records)
        outcomes = {stage.platform.records[record_id]["outcome"] for record_id in completed | more}
        assert outcomes == {"completed"}


async def test_disk_that_turns_read_only_fails_calls_and_keeps_their_records(tmp_path: Path) -> None:
    skip_unless_root()
    image = tmp_path / "image"
    make_image(image, IMAGE_BYTES)
    setting = Setting(around_spool=partial(mount_image, image), has_fixed_port=True)
    async with run_stage(setting) as stage, asyncio.TaskGroup() as group:
        await stage.settle()
        stage.platform.is_away = True
        completed = {(await stage.call(number)).record_id for number in range(20)}
        await wait_until_synced(stage)
        paused, calling = await begin_paused(stage, group)
        make_read_only(stage.folder.spool)
        paused.is_over.set()
        unmetered = await calling
        assert unmetered.code == "metering_failed", "an answer without a record looks complete"
        codes = {(await stage.call(number)).code for number in range(20)}
        assert codes <= {"spool_failed", "metering_failed"}
        assert "spool_failed" in codes
        health = await stage.gateway.read_health()
        assert (health["status"], health["spool"]["is_failed"]) == ("degraded", True)
        assert await stage.gateway.stop() == 0
        # What its operator does: mount it again.
        run("umount", str(stage.folder.spool))
        run("mount", "-o", "loop", str(image), str(stage.folder.spool))
        stage.platform.is_away = False
        await stage.restart()
        completed.add(await wait_until_served(stage))
        await stage.wait_until_quiet()
        assert completed <= set(stage.platform.records)
        assert unmetered.record_id not in stage.platform.records
        await stage.check_sound()


async def wait_until_synced(stage: Stage) -> None:
    """Wait until all records that were written are on disk."""
    async with asyncio.timeout(RECOVER_S_MAX):
        while True:
            spool = (await stage.gateway.read_health())["spool"]
            if spool["synced_records"] == spool["written_records"]:
                return


async def test_gateway_says_why_it_does_not_start_on_a_read_only_spool() -> None:
    skip_unless_root()
    async with run_stage(Setting(around_spool=spool_on_memory)) as stage:
        await stage.settle()
        assert await stage.gateway.stop() == 0
        run("mount", "-o", "remount,ro", str(stage.folder.spool))
        with pytest.raises(AssertionError, match="spool cannot be used: spool_directory: Read-only file system"):
            await start_gateway(stage.folder)
        run("mount", "-o", "remount,rw", str(stage.folder.spool))
        await stage.restart()
        await wait_until_async(lambda: stage.gateway.process.poll() is None, "it runs")
        await stage.check_call()
