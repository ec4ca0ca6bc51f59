"""The upload: exact texts in order, the cursor moves only when every record is answered, the spool keeps all else."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from keisan.domain.errors import Failed, PlatformUnreachable
from keisan.domain.limits import USAGE_BATCH_RECORDS_MAX
from keisan.domain.usage import IntakeOutcome
from keisan.gateway.link import USAGE_PATH, PlatformLink
from keisan.gateway.usage_upload import UsageUpload
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.retry import Backoff
from tests.deadline import wait_until_async
from tests.gateway.small_platform import RecordingRelay, Reply, Request, SmallPlatform, run_platform


@dataclass
class Uploading:
    upload: UsageUpload
    relay: RecordingRelay
    platform: SmallPlatform
    received: list[str] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)

    def reply(self, request: Request) -> Reply:
        assert (request.method, request.path) == ("POST", USAGE_PATH)
        texts: list[str] = json.loads(request.body)["records"]
        self.received += texts
        answers = [
            {"position": position, "record_id": str(uuid4()), "outcome": self.outcomes[text], "code": ""}
            for position, text in enumerate(texts)
            if text in self.outcomes
        ]
        return 200, {"created_count": len(texts) - len(answers), "answers": answers}


@pytest.fixture
async def uploading() -> AsyncIterator[Uploading]:
    async with run_platform() as platform, open_async_client(HttpTarget(platform.url, "mk-keisan-secret")) as client:
        relay = RecordingRelay()
        upload = UsageUpload(PlatformLink(client), relay, SystemClock(), backoff=Backoff(0.01, 1.0, 0.01))
        uploading = Uploading(upload, relay, platform)
        platform.handler = uploading.reply
        yield uploading


async def test_texts_arrive_exactly_and_in_order(uploading: Uploading) -> None:
    texts = ['{"a": 1,  "b":2}', '{"name":"東京\\n"}', '{"c":3.0}']
    uploading.relay.spool = [text.encode() for text in texts]
    assert await uploading.upload.upload_batch() == 3
    assert uploading.received == texts
    assert uploading.relay.cursor == 3
    assert await uploading.upload.upload_batch() == 0


async def test_batches_are_bounded(uploading: Uploading) -> None:
    uploading.relay.spool = [b"{}"] * (USAGE_BATCH_RECORDS_MAX + 5)
    assert await uploading.upload.upload_batch() == USAGE_BATCH_RECORDS_MAX
    assert await uploading.upload.upload_batch() == 5


async def test_bad_record_is_counted_and_blocks_nothing(uploading: Uploading) -> None:
    uploading.relay.spool = [b"good", b"differs", b"refused", b"seen"]
    uploading.outcomes = {"differs": "differs", "refused": "refused", "seen": "exists"}
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
    assert uploading.received == ["one", "two"]


async def test_late_records_are_found(uploading: Uploading) -> None:
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(uploading.upload.run(finish))
        uploading.relay.spool.append(b"later")
        await wait_until_async(lambda: uploading.received == ["later"], "the record is uploaded")
        finish.set()


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
