"""The upload: exact texts in order, the cursor moves only when every record is answered, the spool keeps all else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from keisan.domain.errors import Failed, PlatformUnreachable
from keisan.domain.limits import USAGE_BATCH_RECORDS_MAX
from keisan.domain.usage import IntakeOutcome
from keisan.gateway.link import PIECE_BYTES, USAGE_PATH, PlatformLink
from keisan.gateway.usage_upload import BATCH_RECORDS_MIN, GROW_S, UsageUpload, read_spool_count
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.retry import Backoff
from keisan.wire.usage import USAGE_BATCH_TYPE
from tests.api.stage import SteppedClock
from tests.deadline import wait_until_async
from tests.gateway.small_platform import RecordingRelay, Reply, Request, SmallPlatform, SpooledBatch, run_platform


@dataclass
class Uploading:
    upload: UsageUpload
    relay: RecordingRelay
    platform: SmallPlatform
    received: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    outcomes: dict[bytes, str] = field(default_factory=dict)

    def reply(self, request: Request) -> Reply:
        assert (request.method, request.path) == ("POST", USAGE_PATH)
        assert request.headers["content-type"] == USAGE_BATCH_TYPE
        *lines, rest = request.body.split(b"\n")
        assert rest == b""
        self.received += lines
        self.sizes.append(len(lines))
        answers = [
            {"position": position, "record_id": str(uuid4()), "outcome": self.outcomes[line], "code": ""}
            for position, line in enumerate(lines)
            if line in self.outcomes
        ]
        return 200, {"created_count": len(lines) - len(answers), "answers": answers}


@pytest.fixture
async def uploading() -> AsyncIterator[Uploading]:
    async with run_platform() as platform, open_async_client(HttpTarget(platform.url, "mk-keisan-secret")) as client:
        relay = RecordingRelay()
        upload = UsageUpload(PlatformLink(client), relay, SystemClock(), backoff=Backoff(0.01, 1.0, 0.01))
        uploading = Uploading(upload, relay, platform)
        platform.handler = uploading.reply
        yield uploading


async def test_records_arrive_exactly_and_in_order(uploading: Uploading) -> None:
    uploading.relay.spool = [b'{"a": 1,  "b":2}', '{"name":"東京\\n"}'.encode(), b'{"c":3.0}\r', b"\xff"]
    assert await uploading.upload.upload_batch() == 4
    assert uploading.received == uploading.relay.spool
    assert uploading.relay.cursor == 4
    assert await uploading.upload.upload_batch() == 0


async def test_large_batch_arrives_whole_from_its_pieces(uploading: Uploading) -> None:
    uploading.relay.spool = [b"%06d" % number * 200 for number in range(600)]
    assert sum(map(len, uploading.relay.spool)) > 2 * PIECE_BYTES
    assert await uploading.upload.upload_batch() == 600
    assert uploading.received == uploading.relay.spool


async def test_batches_are_bounded(uploading: Uploading) -> None:
    uploading.relay.spool = [b"{}"] * (2 * USAGE_BATCH_RECORDS_MAX + 5)
    for _ in range(2):
        assert await uploading.upload.upload_batch() == USAGE_BATCH_RECORDS_MAX
    assert await uploading.upload.upload_batch() == 5


async def test_unanswered_batch_comes_again_smaller_until_it_is_answered(uploading: Uploading) -> None:
    uploading.relay.spool = [b"{}"] * (2 * USAGE_BATCH_RECORDS_MAX)
    capacity = USAGE_BATCH_RECORDS_MAX // 3
    uploading.platform.handler = lambda request: (
        uploading.reply(request) if request.body.count(b"\n") <= capacity else (503, None)
    )
    refused = 0
    while uploading.relay.cursor < capacity // 2:
        try:
            await uploading.upload.upload_batch()
        except PlatformUnreachable:
            refused += 1
    assert (refused, uploading.sizes) == (2, [USAGE_BATCH_RECORDS_MAX // 4])


async def test_batch_is_never_made_smaller_than_any_platform_takes(uploading: Uploading) -> None:
    uploading.relay.spool = [b"{}"] * USAGE_BATCH_RECORDS_MAX
    uploading.platform.handler = None
    for _ in range(20):
        with pytest.raises(PlatformUnreachable):
            await uploading.upload.upload_batch()
    uploading.platform.handler = uploading.reply
    await uploading.upload.upload_batch()
    assert uploading.sizes == [BATCH_RECORDS_MIN]


@pytest.mark.parametrize(("took_s", "grown"), [(GROW_S - 1, 2), (GROW_S + 1, 1)])
async def test_batch_grows_again_while_answers_come_well_in_time(
    uploading: Uploading, took_s: float, grown: int
) -> None:
    clock = SteppedClock()
    uploading.upload.clock = clock
    uploading.relay.spool = [b"{}"] * USAGE_BATCH_RECORDS_MAX
    uploading.platform.handler = lambda _: (503, None)
    with pytest.raises(PlatformUnreachable):
        await uploading.upload.upload_batch()

    def reply_late(request: Request) -> Reply:
        clock.elapsed_s += took_s
        return uploading.reply(request)

    uploading.platform.handler = reply_late
    uploading.relay.spool *= 2
    first, second = await uploading.upload.upload_batch(), await uploading.upload.upload_batch()
    assert (first, second) == (USAGE_BATCH_RECORDS_MAX // 2, grown * USAGE_BATCH_RECORDS_MAX // 2)


async def test_full_batches_follow_each_other_whatever_their_size(uploading: Uploading) -> None:
    clock = SteppedClock()
    uploading.upload.clock = clock
    uploading.relay.spool = [b"{}"] * (2 * USAGE_BATCH_RECORDS_MAX)
    uploading.platform.handler = None
    with pytest.raises(PlatformUnreachable):
        await uploading.upload.upload_batch()
    paused_s: list[float] = []

    def reply_noting_pauses(request: Request) -> Reply:
        paused_s.append(clock.elapsed_s)
        return uploading.reply(request)

    uploading.platform.handler = reply_noting_pauses
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(uploading.upload.run(finish))
        await wait_until_async(lambda: len(uploading.received) == len(uploading.relay.spool), "all are uploaded")
        finish.set()
    assert uploading.sizes == [USAGE_BATCH_RECORDS_MAX // 2, USAGE_BATCH_RECORDS_MAX, USAGE_BATCH_RECORDS_MAX // 2]
    assert paused_s == [0, 0, 0]


async def test_bad_record_is_counted_and_blocks_nothing(uploading: Uploading) -> None:
    uploading.relay.spool = [b"good", b"differs", b"refused", b"seen"]
    uploading.outcomes = {b"differs": "differs", b"refused": "refused", b"seen": "exists"}
    await uploading.upload.upload_batch()
    assert uploading.relay.cursor == 4
    assert uploading.upload.counts == dict.fromkeys(IntakeOutcome, 1)


@pytest.mark.parametrize(
    "answer",
    [
        {"created_count": 1, "answers": []},
        {"created_count": 0, "answers": [{"position": 1, "record_id": None, "outcome": "exists"}] * 2},
        {"created_count": 1, "answers": [{"position": 2, "record_id": None, "outcome": "exists"}]},
    ],
)
async def test_unanswered_record_keeps_the_cursor(uploading: Uploading, answer: dict[str, object]) -> None:
    uploading.relay.spool = [b"one", b"two"]
    uploading.platform.handler = lambda _: (200, answer)
    with pytest.raises(Failed, match="1 of 2"):
        await uploading.upload.upload_batch()
    assert uploading.relay.cursor == 0


async def test_platform_gone_keeps_the_cursor(uploading: Uploading) -> None:
    uploading.relay.spool = [b"one"]
    uploading.platform.handler = None
    with pytest.raises(PlatformUnreachable):
        await uploading.upload.upload_batch()
    assert uploading.relay.cursor == 0


async def test_loop_outlives_an_outage_and_ends_when_the_spool_is_empty(uploading: Uploading) -> None:
    handler = uploading.platform.handler
    uploading.platform.handler = None
    uploading.relay.spool = [b"one", b"two"]
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(uploading.upload.run(finish))
        finish.set()
        uploading.platform.handler = handler
    assert uploading.received == [b"one", b"two"]


async def test_late_records_are_found(uploading: Uploading) -> None:
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(uploading.upload.run(finish))
        uploading.relay.spool.append(b"later")
        await wait_until_async(lambda: uploading.received == [b"later"], "the record is uploaded")
        finish.set()


async def test_record_that_is_not_on_disk_yet_at_the_end_is_uploaded(uploading: Uploading) -> None:
    relay, reads = uploading.relay, []

    def read_and_sync(records_max: int) -> SpooledBatch:
        batch = RecordingRelay.read_batch(relay, records_max)
        reads.append(batch.count)
        if len(reads) == 3:
            relay.spool += relay.unsynced
            relay.unsynced.clear()
        return batch

    relay.unsynced = [b"last"]
    relay.read_batch = read_and_sync  # type: ignore[method-assign]  # for this one
    finish = asyncio.Event()
    finish.set()
    async with asyncio.timeout(30):
        await uploading.upload.run(finish)
    assert uploading.received == [b"last"]
    assert reads == [0, 0, 0, 1, 0]


async def test_record_of_a_call_that_ends_during_a_look_is_uploaded(uploading: Uploading) -> None:
    relay, finish = uploading.relay, asyncio.Event()

    def read_and_end(records_max: int) -> SpooledBatch:
        batch = RecordingRelay.read_batch(relay, records_max)
        if not finish.is_set():
            relay.spool.append(b"last")
            finish.set()
        return batch

    relay.read_batch = read_and_end  # type: ignore[method-assign]  # for this one
    async with asyncio.timeout(30):
        await uploading.upload.run(finish)
    assert uploading.received == [b"last"]


def test_counts_are_read_from_the_relays_statistics() -> None:
    assert read_spool_count('{"spool": {"backlog_records": 7}}', "backlog_records") == 7
    for text in ("", "{}", '{"spool": {}}', '{"spool": null}', '{"spool": {"backlog_records": null}}'):
        with pytest.raises(Failed):
            read_spool_count(text, "backlog_records")


async def test_backlog_is_passed_when_its_records_are_answered_and_behind_the_cursor(uploading: Uploading) -> None:
    upload, relay = uploading.upload, uploading.relay
    relay.spool = [b"earlier"] * (USAGE_BATCH_RECORDS_MAX + 1)
    upload.backlog_records = len(relay.spool)
    relay.spool += [b"later"] * USAGE_BATCH_RECORDS_MAX
    assert not upload.is_backlog_passed
    uploading.platform.handler = None
    with pytest.raises(PlatformUnreachable):
        await upload.upload_batch()
    uploading.platform.handler = uploading.reply
    await upload.upload_batch()
    assert not upload.is_backlog_passed
    await upload.upload_batch()
    assert upload.is_backlog_passed


async def test_backlog_is_passed_when_the_spool_is_empty(uploading: Uploading) -> None:
    # Some of what was counted at the start may have turned out to be damaged.
    uploading.upload.backlog_records = 5
    uploading.relay.spool = [b"one"]
    await uploading.upload.upload_batch()
    assert not uploading.upload.is_backlog_passed
    await uploading.upload.upload_batch()
    assert uploading.upload.is_backlog_passed
