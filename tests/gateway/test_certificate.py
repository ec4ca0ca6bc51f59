"""A gateway's certificate for other platforms: asked for once there are any, kept, renewed in time, and after a move."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from keisan.domain.errors import KeisanError
from keisan.domain.ids import PlatformId
from keisan.gateway.certificate import AUTHORITIES_FILE, CERTIFICATE_FILE, KEY_FILE, STATE_FILE, CertificateKeeper
from keisan.gateway.link import CERTIFICATE_PATH, PlatformLink
from keisan.gateway.snapshot_feed import SnapshotFeed
from keisan.kit.clock import to_milliseconds
from keisan.kit.http import HttpTarget, open_async_client
from keisan.wire.snapshot import SnapshotNeighbour, SnapshotTables
from tests.factories import FixedClock
from tests.gateway.small_platform import PLATFORM_ID, RecordingRelay, Reply, Request, build_snapshot, run_platform

PARENT, OTHER = "cc" * 32, "ee" * 32


@dataclass
class Given:
    """What the platform gives, and what it was asked."""

    keeper: CertificateKeeper
    clock: FixedClock
    answer: dict[str, Any]
    asked: list[dict[str, Any]] = field(default_factory=list)

    def reply(self, request: Request) -> Reply:
        assert request.path == CERTIFICATE_PATH
        self.asked.append(json.loads(request.body))
        return 200, self.answer

    def join(self, parent_id: str | None) -> None:
        """Let the snapshot name a parent, or only a child."""
        side = {parent_id: SnapshotNeighbour(side="parent")} if parent_id else {OTHER: SnapshotNeighbour(side="child")}
        self.keeper.feed.current = build_snapshot(1, SnapshotTables(neighbours=side))

    def read(self, name: str) -> str:
        return (self.keeper.folder / name).read_text()


@pytest.fixture
async def given(tmp_path: Path) -> AsyncIterator[Given]:
    clock = FixedClock()
    async with run_platform() as platform, open_async_client(HttpTarget(platform.url, "secret", None)) as client:
        link = PlatformLink(client)
        feed = SnapshotFeed(link, RecordingRelay(), clock, tmp_path / "snapshot.json", PlatformId(PLATFORM_ID))
        answer = {
            "certificate": "first",
            "authorities": "all",
            "parent_id": PARENT,
            "renew_at_ms": to_milliseconds(clock.now() + timedelta(days=60)),
        }
        made = Given(CertificateKeeper(link, feed, clock, tmp_path / "federation"), clock, answer)
        platform.handler = made.reply
        yield made


async def test_a_gateway_of_a_platform_alone_asks_for_nothing(given: Given) -> None:
    await given.keeper.step()
    given.keeper.feed.current = build_snapshot(1, SnapshotTables())
    await given.keeper.step()
    assert (given.asked, given.keeper.folder.exists()) == ([], False)


async def test_a_key_is_made_here_and_only_its_public_half_is_told(given: Given) -> None:
    given.join(PARENT)
    await given.keeper.step()
    await given.keeper.step()
    (asked,) = given.asked
    key = load_pem_private_key(given.read(KEY_FILE).encode(), None).public_key()
    assert asked == {"public_key": key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex(), "certificate": ""}
    assert (given.read(CERTIFICATE_FILE), given.read(AUTHORITIES_FILE)) == ("first", "all")
    assert {path.stat().st_mode & 0o777 for path in given.keeper.folder.iterdir()} == {0o600}


async def test_it_is_asked_again_now_and_then_with_what_is_here(given: Given) -> None:
    given.join(PARENT)
    await given.keeper.step()
    given.answer |= {"authorities": ""}
    given.clock.instant += timedelta(hours=7)
    await given.keeper.step()
    assert [each["certificate"] for each in given.asked] == ["", "first"]
    assert given.asked[0]["public_key"] == given.asked[1]["public_key"]
    assert given.read(AUTHORITIES_FILE) == "all", "those that are here still hold"
    await given.keeper.step()
    assert len(given.asked) == 2


async def test_another_parent_or_none_makes_another_certificate_at_once(given: Given) -> None:
    given.join(PARENT)
    await given.keeper.step()
    given.join(OTHER)
    given.answer |= {"certificate": "second", "parent_id": OTHER}
    await given.keeper.step()
    assert given.read(CERTIFICATE_FILE) == "second"
    given.join(None)
    given.answer |= {"certificate": "third", "parent_id": None}
    await given.keeper.step()
    await given.keeper.step()
    assert (given.read(CERTIFICATE_FILE), len(given.asked)) == ("third", 3)


async def test_a_platform_that_gives_nothing_takes_nothing_away(given: Given) -> None:
    given.join(PARENT)
    await given.keeper.step()
    given.answer = {}
    given.clock.instant += timedelta(hours=7)
    with pytest.raises(KeisanError):
        await given.keeper.step()
    assert (given.read(CERTIFICATE_FILE), given.read(AUTHORITIES_FILE)) == ("first", "all")


async def test_after_a_crash_before_the_last_file_it_is_asked_again(given: Given) -> None:
    given.join(PARENT)
    await given.keeper.step()
    (given.keeper.folder / STATE_FILE).unlink()
    (given.keeper.folder / AUTHORITIES_FILE).unlink()
    await given.keeper.step()
    assert (given.asked[-1]["certificate"], given.read(AUTHORITIES_FILE)) == ("", "all")
