"""The gateway's loops against the real API: join, snapshot by delta, revocation, records handed in once."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from keisan.domain.errors import Unauthenticated
from keisan.domain.usage import IntakeOutcome
from keisan.gateway.link import PlatformLink
from keisan.gateway.snapshot_feed import SnapshotFeed
from keisan.gateway.usage_upload import UsageUpload
from keisan.kit.clock import SystemClock
from keisan.storage.sqlite import open_sqlite
from tests.api.stage import BASE_URL, Stage, SteppedClock, build_record, open_stage
from tests.gateway.small_platform import RecordingRelay


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    clock = SteppedClock()
    async with open_stage(open_sqlite(tmp_path / "keisan.db", clock), clock, tmp_path) as opened:
        yield opened


def open_link(stage: Stage, secret: str | None = None) -> PlatformLink:
    headers = {"authorization": f"Bearer {secret or stage.secrets['gateway']}"}
    transport = httpx.ASGITransport(stage.app)
    return PlatformLink(httpx.AsyncClient(transport=transport, base_url=BASE_URL, headers=headers, timeout=30))


async def follow(stage: Stage, feed: SnapshotFeed) -> None:
    # The platform looks at its database every 0.2 s of its own clock.
    stage.clock.elapsed_s += 1
    await feed.step(0.0)


async def test_feed_follows_the_platform_by_delta(stage: Stage, tmp_path: Path) -> None:
    link, relay = open_link(stage), RecordingRelay()
    feed = SnapshotFeed(link, relay, SystemClock(), tmp_path / "snapshot.json", stage.control.platform_id)
    await follow(stage, feed)
    assert feed.current is not None
    first, key_id = feed.current, str(stage.keys["developer"].id)
    assert key_id in first.tables.keys
    assert [model.name for model in first.tables.models.values()] == ["smollm2-135m-instruct"]

    revoked = await stage.ask("admin", "POST", f"/keys/{key_id}/revoke")
    assert revoked.is_success
    await follow(stage, feed)
    assert feed.current.version == revoked.json()["snapshot_version"]
    assert key_id not in feed.current.tables.keys
    assert key_id not in json.loads(relay.snapshots[-1])["tables"]["keys"]

    await follow(stage, feed)
    gateways = (await stage.ask("admin", "GET", "/gateways")).json()["items"]
    assert [gateway["acknowledged_version"] for gateway in gateways] == [feed.current.version]


async def test_records_are_handed_in_once(stage: Stage) -> None:
    record = build_record(stage)
    relay = RecordingRelay(spool=[record, b"no record at all"])
    upload = UsageUpload(open_link(stage), relay, SystemClock())
    assert await upload.upload_batch() == 2
    assert upload.counts == {IntakeOutcome.CREATED: 1, IntakeOutcome.REFUSED: 1}
    # As after a crash between the answer and the cursor.
    relay.cursor = 0
    assert await upload.upload_batch() == 2
    assert upload.counts == {IntakeOutcome.CREATED: 1, IntakeOutcome.EXISTS: 1, IntakeOutcome.REFUSED: 2}
    assert relay.cursor == 2


async def test_unknown_machine_is_told(stage: Stage) -> None:
    with pytest.raises(Unauthenticated):
        await open_link(stage, "mk-keisan-unknown").fetch_snapshot(None, 0.0)


async def test_other_release_at_the_same_version_is_followed(stage: Stage, tmp_path: Path) -> None:
    link, relay = open_link(stage), RecordingRelay()
    feed = SnapshotFeed(link, relay, SystemClock(), tmp_path / "snapshot.json", stage.control.platform_id)
    await follow(stage, feed)
    assert feed.current is not None
    true = feed.current
    feed.current = true.model_copy(update={"digest": "0" * 64})
    await follow(stage, feed)
    assert feed.current.digest == true.digest
