"""The credit loop over a relay double: what goes up, what comes down, when, and what survives a restart."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from keisan.domain.errors import Failed, PlatformUnreachable
from keisan.gateway.credit_lease import CreditLease
from keisan.gateway.link import CREDIT_PATH, PlatformLink
from keisan.gateway.shares_file import KeptShares, read_shares, write_shares
from keisan.gateway.usage_upload import UsageUpload
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget, open_async_client
from keisan.kit.retry import Backoff
from keisan.wire.credit import CreditReport
from tests.deadline import wait_until_async
from tests.gateway.small_platform import RecordingRelay, Reply, Request, SmallPlatform, run_platform

GOLDEN = Path(__file__).parents[1] / "golden" / "credit.json"
TICKET = "019ab000-000e-7000-8000-000000000001"
ORGANIZATION = "019ab000-0001-7000-8000-000000000001"
LIMIT = "key:019ab000-0003-7000-8000-000000000001:requests"
OTHER_LIMIT = "key:019ab000-0003-7000-8000-000000000002:tokens"
WHOLE = 1_000_000


@dataclass
class Leasing:
    """`answer` is what the platform says next; `reports` what it was told."""

    lease: CreditLease
    relay: RecordingRelay
    platform: SmallPlatform
    reports: list[dict[str, Any]] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=lambda: {"lease_s": 7200, "renew_s": 60})

    def reply(self, request: Request) -> Reply:
        assert (request.method, request.path) == ("POST", CREDIT_PATH)
        CreditReport.model_validate_json(request.body)
        self.reports.append(json.loads(request.body))
        return 200, self.answer

    def say(self, **changes: object) -> None:
        """Let the relay's next reports say this."""
        self.relay.report = {"tickets": [], "wanted": [], "rates": []} | changes

    def lease_ticket(self, credit_nano: int, give_back_nano: int = 0) -> None:
        line = {"ticket_id": TICKET, "holder_id": ORGANIZATION, "currency": "CNY"}
        amounts = {"credit_nano": str(credit_nano), "give_back_nano": str(give_back_nano)}
        self.answer["tickets"] = [line | amounts]

    def give_shares(self, default_share_ppm: int = 0, **shares_ppm: int) -> None:
        named = {"LIMIT": LIMIT, "OTHER_LIMIT": OTHER_LIMIT}
        rates = [{"limit_id": named[name], "share_ppm": share} for name, share in shares_ppm.items()]
        self.answer |= {"rates": rates, "default_share_ppm": default_share_ppm}

    def list_rates(self) -> dict[str, tuple[int, int]]:
        """Return share and demand by limit as last reported."""
        return {line["limit_id"]: (line["share_ppm"], line["demand_per_minute"]) for line in self.reports[-1]["rates"]}


@pytest.fixture
async def leasing(tmp_path: Path) -> AsyncIterator[Leasing]:
    async with run_platform() as platform, open_async_client(HttpTarget(platform.url, "mk-keisan-secret")) as client:
        relay, link, clock = RecordingRelay(), PlatformLink(client), SystemClock()
        upload = UsageUpload(link, relay, clock)
        lease = CreditLease(link, relay, clock, upload, tmp_path / "shares.json", backoff=Backoff(0.01, 1.0, 0.01))
        leasing = Leasing(lease, relay, platform)
        leasing.say()
        platform.handler = leasing.reply
        yield leasing


def build_rate(limit_id: str = LIMIT, share_ppm: int = 0, demand_per_minute: int = 0) -> dict[str, object]:
    return {"limit_id": limit_id, "share_ppm": share_ppm, "demand_per_minute": demand_per_minute}


def build_kept(leasing: Leasing, age_s: float, **changes: object) -> KeptShares:
    """Return shares that were leased that long ago."""
    renewed_at_s = leasing.lease.clock.monotonic_s() - age_s
    kept = {"boot_id": leasing.lease.boot_id, "renewed_at_s": renewed_at_s, "lease_s": 7200}
    return KeptShares.model_validate(kept | changes)


async def test_relays_words_go_up_and_the_answer_comes_down_whole(leasing: Leasing) -> None:
    word = {"ticket_id": TICKET, "spent_nano": "5", "reserved_nano": "6", "returned_nano": str(10**30)}
    want = {"holder_id": ORGANIZATION, "currency": "CNY", "wanted_nano": "7"}
    leasing.say(tickets=[word], wanted=[want])
    leasing.lease_ticket(10**35)
    assert await leasing.lease.exchange() == 60
    (report,) = leasing.reports
    assert report["tickets"] == [word | {"credit_nano": "0"}]
    assert report["wanted"] == [want]
    assert (report["sequence"], report["is_spool_passed"], report["is_last"]) == (1, True, False)
    (applied,) = leasing.relay.answers
    assert applied["tickets"] == leasing.answer["tickets"]
    assert (applied["lease_s"], applied["renew_s"]) == (7200, 60)
    await leasing.lease.end()
    assert leasing.reports[-1]["tickets"] == [word | {"credit_nano": str(10**35)}]
    assert (leasing.reports[-1]["sequence"], leasing.reports[-1]["is_last"]) == (2, True)


async def test_golden_exchange_is_carried_as_it_is(leasing: Leasing) -> None:
    golden = json.loads(GOLDEN.read_text())
    leasing.answer = golden["answer"]
    await leasing.lease.exchange()
    leasing.relay.report = golden["relay_report"]
    leasing.lease._counted_at_s -= 10
    await leasing.lease.exchange()
    assert leasing.relay.answers == [golden["answer"]] * 2
    (rate,) = leasing.reports[-1]["rates"]
    # How much was asked for is smoothed over time.
    assert rate["demand_per_minute"] > 0
    rate["demand_per_minute"] = golden["report"]["rates"][0]["demand_per_minute"]
    assert leasing.reports[-1] == golden["report"]


async def test_answer_that_is_lost_or_refused_changes_nothing(leasing: Leasing) -> None:
    leasing.say(tickets=[{"ticket_id": TICKET, "spent_nano": "0", "reserved_nano": "0", "returned_nano": "0"}])
    leasing.lease_ticket(50)
    leasing.platform.handler = None
    with pytest.raises(PlatformUnreachable):
        await leasing.lease.exchange()
    leasing.platform.handler = leasing.reply
    leasing.relay.refused_leases_s = {7200}
    with pytest.raises(Failed, match="refuses"):
        await leasing.lease.exchange()
    leasing.relay.refused_leases_s = set()
    await leasing.lease.exchange()
    assert [report["tickets"][0]["credit_nano"] for report in leasing.reports] == ["0", "0"]
    assert [report["sequence"] for report in leasing.reports] == [2, 3], "each try is a report of its own"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tickets": 1, "rates": []}', '{"tickets": [], "rates": [{}]}'])
async def test_report_that_is_none_is_not_sent(leasing: Leasing, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(leasing.relay, "report_credit", lambda: text)
    with pytest.raises(Failed, match="cannot be read"):
        await leasing.lease.exchange()
    assert leasing.reports == []


async def test_spool_is_passed_when_what_lay_in_it_was_answered(leasing: Leasing) -> None:
    leasing.lease.upload.backlog_records = 2
    for passed, is_passed in ((0, False), (1, False), (2, True), (3, True)):
        leasing.lease.upload.passed_records = passed
        await leasing.lease.exchange()
        assert leasing.reports[-1]["is_spool_passed"] is is_passed


async def test_another_word_is_due_at_once_when_something_is_asked_back(leasing: Leasing) -> None:
    leasing.lease_ticket(50, give_back_nano=20)
    assert await leasing.lease.exchange() == 0
    leasing.lease_ticket(50)
    assert await leasing.lease.exchange() == 60


async def test_another_word_is_due_at_once_when_a_share_is_lowered(leasing: Leasing) -> None:
    leasing.say(rates=[build_rate(share_ppm=500)])
    leasing.give_shares(LIMIT=500)
    assert await leasing.lease.exchange() == 60
    leasing.give_shares(LIMIT=499)
    assert await leasing.lease.exchange() == 0
    leasing.give_shares(WHOLE, LIMIT=499)
    leasing.say(rates=[build_rate(share_ppm=499)])
    assert await leasing.lease.exchange() == 60
    leasing.give_shares(0, LIMIT=499)
    assert await leasing.lease.exchange() == 0


async def test_only_limits_that_matter_are_named(leasing: Leasing) -> None:
    idle = [build_rate(f"key:019ab000-0003-7000-8000-{number:012x}:calls", 0) for number in range(20_000)]
    leasing.say(rates=[*idle, build_rate(LIMIT, 0, 60_000), build_rate(OTHER_LIMIT, 7)])
    await leasing.lease.exchange()
    assert set(leasing.list_rates()) == {LIMIT, OTHER_LIMIT}
    assert leasing.list_rates()[LIMIT][1] > 0
    assert leasing.list_rates()[OTHER_LIMIT] == (7, 0)


async def test_what_is_too_long_for_one_exchange_goes_up_in_parts(leasing: Leasing) -> None:
    lines = [build_rate(f"key:019ab000-0003-7000-8000-{number:012x}:calls", 7) for number in range(20_000)]
    leasing.say(rates=lines)
    leasing.give_shares(LIMIT=5)
    await leasing.lease.exchange()
    assert [(report["part"], report["part_count"], report["sequence"]) for report in leasing.reports] == [
        (0, 2, 1),
        (1, 2, 2),
    ]
    assert sum(len(report["rates"]) for report in leasing.reports) == len(lines)
    assert len(leasing.relay.answers) == 1
    await leasing.lease.end()
    assert [report["is_last"] for report in leasing.reports] == [False, False, True]


async def test_share_that_stands_on_disk_is_reported_until_it_is_lowered_there(
    leasing: Leasing, tmp_path: Path
) -> None:
    leasing.say(rates=[build_rate(share_ppm=900)])
    leasing.give_shares(LIMIT=900)
    await leasing.lease.exchange()
    assert read_shares(leasing.lease.path).shares_ppm == {LIMIT: 900}
    leasing.lease.path = tmp_path / "missing" / "shares.json"
    leasing.say(rates=[build_rate(share_ppm=100)])
    leasing.give_shares(LIMIT=100)
    for _ in range(2):
        await leasing.lease.exchange()
    assert leasing.list_rates()[LIMIT][0] == 900, "after a crash it would be in force again"
    leasing.lease.path = tmp_path / "shares.json"
    await leasing.lease.exchange()
    await leasing.lease.exchange()
    assert leasing.list_rates()[LIMIT][0] == 100


async def test_unchanged_shares_are_written_again_only_as_they_age(
    leasing: Leasing, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[KeptShares] = []
    monkeypatch.setattr("keisan.gateway.credit_lease.write_shares", lambda _, shares: written.append(shares))
    leasing.give_shares(WHOLE)
    await leasing.lease.exchange()
    await leasing.lease.exchange()
    assert len(written) == 1
    leasing.lease.kept = written[0].model_copy(update={"renewed_at_s": written[0].renewed_at_s - 721})
    await leasing.lease.exchange()
    assert len(written) == 2


async def test_kept_shares_are_in_force_before_the_platform_has_spoken(leasing: Leasing) -> None:
    write_shares(leasing.lease.path, build_kept(leasing, age_s=60, default_share_ppm=5, shares_ppm={LIMIT: 700}))
    await leasing.lease.load()
    (applied,) = leasing.relay.answers
    assert 7100 < applied["lease_s"] <= 7140
    share = {"limit_id": LIMIT, "share_ppm": 700, "is_awaited": False}
    assert (applied["rates"], applied["default_share_ppm"]) == ([share], 5)
    assert applied["tickets"] == [], "tickets belong to one life"
    await leasing.lease.exchange()
    assert (leasing.list_rates()[LIMIT][0], leasing.reports[0]["default_share_ppm"]) == (700, 5)


@pytest.mark.parametrize(("age_s", "changes"), [(7200, {}), (60, {"boot_id": "another"})])
async def test_shares_whose_lease_is_over_are_let_go(
    leasing: Leasing, age_s: float, changes: dict[str, object]
) -> None:
    kept = build_kept(leasing, age_s=age_s, default_share_ppm=5, shares_ppm={LIMIT: 7}, **changes)
    write_shares(leasing.lease.path, kept)
    await leasing.lease.load()
    assert read_shares(leasing.lease.path) == KeptShares()
    assert leasing.relay.answers == []
    await leasing.lease.exchange()
    assert (leasing.reports[0]["rates"], leasing.reports[0]["default_share_ppm"]) == ([], 0)


async def test_shares_whose_lease_is_over_are_not_reported(leasing: Leasing) -> None:
    leasing.give_shares(5, LIMIT=700)
    await leasing.lease.exchange()
    await leasing.lease.exchange()
    assert (leasing.list_rates(), leasing.reports[-1]["default_share_ppm"]) == ({LIMIT: (700, 0)}, 5)
    leasing.answer["lease_s"] = 0
    await leasing.lease.exchange()
    await leasing.lease.exchange()
    assert leasing.list_rates() == {LIMIT: (700, 0)}, "those on disk are leased still"
    leasing.lease.kept = leasing.lease.kept.model_copy(update={"lease_s": 0})
    await leasing.lease.exchange()
    assert (leasing.list_rates(), leasing.reports[-1]["default_share_ppm"]) == ({}, 0)


async def test_kept_shares_that_the_relay_refuses_end_the_start(leasing: Leasing) -> None:
    write_shares(leasing.lease.path, build_kept(leasing, age_s=-3600, shares_ppm={LIMIT: 7}))
    leasing.relay.refused_leases_s = {7200}
    with pytest.raises(Failed):
        await leasing.lease.load()


async def test_shares_are_let_go_with_the_last_word(leasing: Leasing) -> None:
    leasing.say(rates=[build_rate(share_ppm=700)])
    leasing.give_shares(5, LIMIT=700)
    await leasing.lease.exchange()
    assert read_shares(leasing.lease.path).shares_ppm == {LIMIT: 700}
    await leasing.lease.end()
    assert (leasing.reports[-1]["rates"], leasing.reports[-1]["default_share_ppm"]) == ([], 0)
    assert leasing.reports[-1]["is_last"]
    assert read_shares(leasing.lease.path) == KeptShares()
    assert len(leasing.relay.answers) == 1, "nothing is put in force after it"


async def test_shares_are_kept_for_the_next_start_while_the_platform_is_silent(leasing: Leasing) -> None:
    leasing.say(rates=[build_rate(share_ppm=700)])
    leasing.give_shares(LIMIT=700)
    await leasing.lease.exchange()
    leasing.platform.handler = None
    for speak in (leasing.lease.exchange, leasing.lease.end):
        with pytest.raises(PlatformUnreachable):
            await speak()
    assert read_shares(leasing.lease.path).shares_ppm == {LIMIT: 700}
    leasing.platform.handler = leasing.reply
    await leasing.lease.end()
    assert leasing.list_rates() == {LIMIT: (700, 0)}, "it has come back, and hears that they are kept"


async def test_shares_that_cannot_be_let_go_on_disk_are_reported(leasing: Leasing, tmp_path: Path) -> None:
    leasing.give_shares(5, LIMIT=700)
    await leasing.lease.exchange()
    leasing.lease.path = tmp_path / "missing" / "shares.json"
    await leasing.lease.end()
    assert (leasing.list_rates(), leasing.reports[-1]["default_share_ppm"]) == ({LIMIT: (700, 0)}, 5)


async def test_loop_speaks_at_once_when_a_call_waits(leasing: Leasing) -> None:
    async with asyncio.TaskGroup() as group:
        running = group.create_task(leasing.lease.run())
        await wait_until_async(lambda: len(leasing.reports) == 1, "it speaks when it begins")
        for count in (2, 3):
            leasing.relay.waiting.set()
            await wait_until_async(lambda count=count: len(leasing.reports) == count, "it speaks as a call waits")  # type: ignore[misc]  # bound now
        running.cancel()


async def test_loop_speaks_when_it_is_due(leasing: Leasing) -> None:
    leasing.answer["renew_s"] = 1
    async with asyncio.TaskGroup() as group:
        running = group.create_task(leasing.lease.run())
        await wait_until_async(lambda: len(leasing.reports) >= 3, "it speaks again and again")
        running.cancel()


async def test_loop_outlives_an_outage(leasing: Leasing) -> None:
    leasing.platform.handler = None
    async with asyncio.TaskGroup() as group:
        running = group.create_task(leasing.lease.run())
        await wait_until_async(lambda: leasing.lease._sequence >= 3, "it goes on trying")
        leasing.platform.handler = leasing.reply
        await wait_until_async(lambda: bool(leasing.relay.answers), "it is answered")
        running.cancel()
