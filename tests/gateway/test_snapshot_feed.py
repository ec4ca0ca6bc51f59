"""The snapshot feed: forwards by delta, whole when in doubt, never backwards, on disk before it is served."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from keisan.domain.errors import Failed, InvalidInput, KeisanError
from keisan.domain.ids import PlatformId
from keisan.gateway.link import SNAPSHOT_PATH, PlatformLink
from keisan.gateway.snapshot_feed import SnapshotFeed
from keisan.gateway.snapshot_file import read_snapshot
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.retry import Backoff
from keisan.wire.snapshot import Snapshot, SnapshotAnswer, SnapshotDelta, SnapshotTables, digest_tables
from tests.deadline import wait_until_async
from tests.gateway.small_platform import (
    PLATFORM_ID,
    RecordingRelay,
    Reply,
    Request,
    SmallPlatform,
    build_key,
    build_snapshot,
    run_platform,
)

ONE, TWO = build_key(), build_key(("a",))


def make_delta(base: Snapshot, version: int, put: SnapshotTables, after: SnapshotTables) -> SnapshotDelta:
    return SnapshotDelta(
        incarnation=base.incarnation,
        base_version=base.version,
        version=version,
        compiled_at_ms=base.compiled_at_ms + 1,
        digest=digest_tables(after),
        put=put,
        drop={},
    )


@dataclass
class Feeding:
    feed: SnapshotFeed
    relay: RecordingRelay
    platform: SmallPlatform
    answers: list[SnapshotAnswer | None] = field(default_factory=list)

    def reply(self, request: Request) -> Reply:
        assert request.path == SNAPSHOT_PATH
        answer = self.answers.pop(0) if self.answers else None
        return (204, None) if answer is None else (200, answer.model_dump(mode="json", exclude_unset=True))

    async def give(self, answer: Snapshot | SnapshotDelta | None) -> None:
        if isinstance(answer, Snapshot):
            self.answers.append(SnapshotAnswer(snapshot=answer))
        else:
            self.answers.append(SnapshotAnswer(delta=answer) if answer else None)
        await self.feed.step(0.0)

    @property
    def kept(self) -> Snapshot | None:
        return read_snapshot(self.feed.path, PlatformId(PLATFORM_ID))


@pytest.fixture
async def feeding(tmp_path: Path) -> AsyncIterator[Feeding]:
    async with run_platform() as platform, open_async_client(HttpTarget(platform.url, "mk-keisan-secret")) as client:
        relay = RecordingRelay()
        path = tmp_path / "snapshot.json"
        feed = SnapshotFeed(
            PlatformLink(client), relay, SystemClock(), path, PlatformId(PLATFORM_ID), backoff=Backoff(0.01, 1.0, 0.01)
        )
        feeding = Feeding(feed, relay, platform)
        platform.handler = feeding.reply
        yield feeding


async def test_full_then_delta(feeding: Feeding) -> None:
    first = build_snapshot(3, SnapshotTables(keys={"k1": ONE}))
    await feeding.give(first)
    both = SnapshotTables(keys={"k1": ONE, "k2": TWO})
    await feeding.give(make_delta(first, 5, SnapshotTables(keys={"k2": TWO}), both))
    assert feeding.relay.calls == ["load 3", "load 5"]
    assert feeding.kept == feeding.feed.current
    assert feeding.kept is not None
    assert feeding.kept.tables == both


async def test_next_request_acknowledges(feeding: Feeding) -> None:
    first = build_snapshot(3)
    await feeding.give(first)
    await feeding.give(None)
    asked, acknowledged = (request.query for request in feeding.platform.requests)
    assert "version" not in asked
    assert (acknowledged["incarnation"], acknowledged["version"]) == (str(first.incarnation), "3")
    assert feeding.platform.requests[1].headers["authorization"] == "Bearer mk-keisan-secret"


async def test_gap_leads_to_a_full_fetch(feeding: Feeding) -> None:
    first = build_snapshot(3)
    await feeding.give(first)
    with pytest.raises(InvalidInput):
        await feeding.give(make_delta(build_snapshot(4), 5, SnapshotTables(), SnapshotTables()))
    assert feeding.feed.current == first
    await feeding.give(build_snapshot(6))
    assert "version" not in feeding.platform.requests[-1].query
    assert feeding.relay.calls == ["load 3", "load 6"]


async def test_wrong_digest_is_neither_kept_nor_served(feeding: Feeding) -> None:
    first = build_snapshot(3)
    await feeding.give(first)
    with pytest.raises(InvalidInput, match="digest"):
        await feeding.give(make_delta(first, 4, SnapshotTables(keys={"k1": ONE}), SnapshotTables()))
    with pytest.raises(InvalidInput, match="digest"):
        await feeding.give(build_snapshot(9).model_copy(update={"digest": "0" * 64}))
    assert feeding.relay.calls == ["load 3"]
    assert feeding.kept == first


async def test_never_backwards_within_an_incarnation(feeding: Feeding) -> None:
    await feeding.give(build_snapshot(3))
    with pytest.raises(InvalidInput, match="steps back from 3 to 2"):
        await feeding.give(build_snapshot(2))
    assert feeding.relay.calls == ["load 3"]


async def test_new_incarnation_starts_again(feeding: Feeding) -> None:
    await feeding.give(build_snapshot(3))
    await feeding.give(build_snapshot(1, incarnation=uuid4()))
    assert feeding.relay.calls == ["load 3", "load 1"]


async def test_other_platform_is_refused(feeding: Feeding) -> None:
    with pytest.raises(InvalidInput, match="another platform"):
        await feeding.give(build_snapshot(3).model_copy(update={"platform_id": "cd" * 32}))
    assert feeding.relay.calls == []


async def test_unchanged_version_reaches_the_relay_and_not_the_disk(feeding: Feeding) -> None:
    first = build_snapshot(3)
    await feeding.give(first)
    before = feeding.feed.path.stat().st_ino
    await feeding.give(make_delta(first, 3, SnapshotTables(), SnapshotTables()))
    assert feeding.relay.calls == ["load 3", "load 3"]
    assert feeding.feed.path.stat().st_ino == before


async def test_same_version_with_other_rows_reaches_the_disk_too(feeding: Feeding) -> None:
    first = build_snapshot(3)
    await feeding.give(first)
    tables = SnapshotTables(keys={"1": ONE})
    other = first.model_copy(update={"tables": tables, "digest": digest_tables(tables)})
    await feeding.give(other)
    assert feeding.kept == other


async def test_nothing_new_is_a_sign_of_life(feeding: Feeding) -> None:
    first = build_snapshot(3).model_copy(update={"compiled_at_ms": 1_000})
    await feeding.give(first)
    await feeding.give(None)
    assert feeding.relay.calls == ["load 3", "load 3"]
    assert json.loads(feeding.relay.snapshots[1])["compiled_at_ms"] > 1_000
    assert feeding.kept == first


async def test_snapshot_that_the_relay_refuses_is_not_acknowledged(feeding: Feeding) -> None:
    first = build_snapshot(3)
    await feeding.give(first)
    feeding.relay.refused_versions = {4}
    with pytest.raises(Failed, match="relay refuses"):
        await feeding.give(build_snapshot(4))
    assert (feeding.kept, feeding.feed.current) == (first, first)


async def test_full_disk_keeps_the_old_one_in_service(feeding: Feeding, monkeypatch: pytest.MonkeyPatch) -> None:
    await feeding.give(build_snapshot(3))

    def fail(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("keisan.gateway.snapshot_feed.write_snapshot", fail)
    with pytest.raises(Failed, match="cannot be kept"):
        await feeding.give(build_snapshot(4))
    assert feeding.relay.calls == ["load 3"]


@pytest.mark.parametrize("status", [401, 403, 400, 429, 500])
async def test_every_refusal_is_an_error_of_the_tree(feeding: Feeding, status: int) -> None:
    feeding.platform.handler = lambda request: (status, {})
    with pytest.raises(KeisanError):
        await feeding.feed.step(0.0)


async def test_loop_survives_a_platform_that_goes_and_comes_back(feeding: Feeding) -> None:
    handler = feeding.platform.handler
    feeding.platform.handler = None
    async with asyncio.TaskGroup() as group:
        running = group.create_task(feeding.feed.run())
        feeding.answers.append(SnapshotAnswer(snapshot=build_snapshot(3)))
        feeding.platform.handler = handler
        await wait_until_async(lambda: feeding.relay.calls[:1] == ["load 3"], "the snapshot arrives")
        running.cancel()
