"""Shares in the exchange, on a real SQLite file: the whole while alone, and never given twice."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from keisan.domain.call_limits import CallLimits
from keisan.domain.limits import CREDIT_LINES_MAX
from keisan.domain.share import SHARE_WHOLE_PPM, Share
from keisan.ledger.share import load_bounds
from keisan.wire.credit import CreditAnswer, choose_part
from tests.factories import NOW
from tests.ledger.credit_world import EVERYTHING, TERMS, Gateway, add_gateway, list_shares
from tests.ledger.intake_world import IntakeWorld, open_world, plant_template

LIMITS = CallLimits(requests_per_minute=1000, tokens_per_minute=50, calls_open_max=2000)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[IntakeWorld]:
    """A planted platform whose left key, project and organization have limits."""
    template = tmp_path / "template.db"
    world = await plant_template(template)
    async with open_world(tmp_path / "keisan.db", template, world) as opened:
        async with opened.storage.write() as transaction:
            left = world.left
            await transaction.keys.update(replace(left.key, limits=LIMITS, version=left.key.version + 1))
            await transaction.projects.update(replace(left.project, limits=LIMITS, version=left.project.version + 1))
            organization = replace(left.organization, limits=LIMITS, version=left.organization.version + 1)
            await transaction.organizations.update(organization)
        yield opened


@pytest.fixture
async def gateways(ledger: IntakeWorld) -> tuple[Gateway, Gateway]:
    return Gateway(ledger.world.gateway.id, ledger), await add_gateway(ledger)


def name_limit(ledger: IntakeWorld, kind: str = "requests") -> str:
    return f"key:{ledger.world.left.key.id}:{kind}"


async def ask(
    gateway: Gateway, limit_id: str, demand_per_minute: int = 0, share_ppm: int = 0, *, default_share_ppm: int = 0
) -> int:
    """Report one limit and return the share of it that the gateway is told."""
    answer = await report(gateway, [(limit_id, share_ppm, demand_per_minute)], default_share_ppm)
    (line,) = answer.rates
    assert line.limit_id == limit_id
    return line.share_ppm


async def report(gateway: Gateway, lines: list[tuple[str, int, int]], default_share_ppm: int = 0) -> CreditAnswer:
    rates = [
        {"limit_id": limit_id, "share_ppm": share_ppm, "demand_per_minute": demand}
        for limit_id, share_ppm, demand in lines
    ]
    return await gateway.exchange(rates=rates, default_share_ppm=default_share_ppm)


async def test_gateway_that_is_alone_has_every_limit_whole_and_no_rows(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    assert await ask(gateways[0], name_limit(ledger), 5) == SHARE_WHOLE_PPM
    assert (await gateways[0].exchange()).default_share_ppm == SHARE_WHOLE_PPM
    assert await list_shares(ledger.storage) == []


async def test_second_gateway_waits_until_the_first_has_let_go(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await ask(first, limit_id, 100)
    assert (await second.exchange()).default_share_ppm == 0
    assert await ask(second, limit_id, 2000) == 0, "the first may be using all of any limit"
    answer = await report(first, [], SHARE_WHOLE_PPM)
    assert answer.default_share_ppm == 0
    assert await ask(second, limit_id, 2000) == 0, "it has been told, but has not said that it does"
    await report(first, [(limit_id, SHARE_WHOLE_PPM, 100)], 0)
    told_ppm = await ask(first, limit_id, 100, SHARE_WHOLE_PPM)
    assert 0 < told_ppm < SHARE_WHOLE_PPM
    assert await ask(second, limit_id, 2000) == 0
    await ask(first, limit_id, 100, told_ppm)
    assert told_ppm + await ask(second, limit_id, 2000) == pytest.approx(SHARE_WHOLE_PPM, abs=2)


async def let_both_speak(gateways: tuple[Gateway, Gateway]) -> None:
    for gateway in (*gateways, gateways[0]):
        await gateway.exchange()


async def test_share_stays_with_a_silent_gateway_for_its_lease_and_the_window(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await let_both_speak(gateways)
    held_ppm = await ask(first, limit_id, 2000)
    assert held_ppm == SHARE_WHOLE_PPM
    await ledger.clock.sleep(TERMS.lease_s + TERMS.lateness_s)
    assert await ask(second, limit_id, 2000) == 0
    await ledger.clock.sleep(1)
    assert await ask(second, limit_id, 2000) == SHARE_WHOLE_PPM
    assert await ask(first, limit_id, 2000, 0) == 0, "who comes back begins with nothing"


async def test_share_that_another_is_to_let_go_of_is_awaited(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    (first, second), limit_id, homed_id = gateways, name_limit(ledger), name_limit(ledger, "tokens")
    await let_both_speak(gateways)
    assert await ask(first, limit_id, 2000) == SHARE_WHOLE_PPM
    answer = await report(second, [(limit_id, 0, 2000), (homed_id, 0, 5)])
    told = {line.limit_id: (line.share_ppm, line.is_awaited) for line in answer.rates}
    assert told == {limit_id: (0, True), homed_id: (SHARE_WHOLE_PPM, False)}
    (line,) = (await report(first, [(homed_id, 0, 5)])).rates
    assert (line.share_ppm, line.is_awaited) == (0, False), "the other is its home"
    await ask(first, limit_id, 2000, SHARE_WHOLE_PPM)
    await ledger.clock.sleep(TERMS.silence_s + 1)
    answer = await report(second, [(limit_id, 0, 2000)])
    assert [(line.share_ppm, line.is_awaited) for line in answer.rates] == [(0, False)], (
        "who is silent lets go of nothing"
    )


async def test_silent_gateways_demand_counts_no_more(ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await let_both_speak(gateways)
    await ask(first, limit_id, 1000)
    assert await ask(second, limit_id, 1000) == 0
    await ledger.clock.sleep(TERMS.silence_s + 1)
    told_ppm = await ask(second, limit_id, 1000, 0)
    assert told_ppm == 0
    (own,) = [share for share in await list_shares(ledger.storage) if share.gateway_id == first.gateway_id]
    assert own.share_ppm == SHARE_WHOLE_PPM


async def test_what_a_gateway_does_not_name_it_does_not_use(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await let_both_speak(gateways)
    assert await ask(first, limit_id, 2000) == SHARE_WHOLE_PPM
    await first.exchange()
    assert await list_shares(ledger.storage) == []
    assert await ask(second, limit_id, 2000) == SHARE_WHOLE_PPM


async def test_part_of_a_report_lets_go_of_what_it_is_about(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    first, owner_id = gateways[0], ledger.world.left.key.id
    await let_both_speak(gateways)
    await ask(first, name_limit(ledger), 2000)
    part = choose_part(owner_id, 2)
    await first.exchange(part=1 - part, part_count=2)
    assert [share.share_ppm for share in await list_shares(ledger.storage)] == [SHARE_WHOLE_PPM]
    await first.exchange(part=part, part_count=2)
    assert await list_shares(ledger.storage) == []


async def test_answer_that_was_lost_raises_no_bound_for_ever(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await let_both_speak(gateways)
    await ask(first, limit_id, 2000)
    await ask(first, limit_id, 0, 0)
    assert await list_shares(ledger.storage) == []
    assert await ask(second, limit_id, 2000) == SHARE_WHOLE_PPM


async def test_last_word_lets_go_of_what_it_does_not_name(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await first.exchange()
    assert await ask(first, limit_id, 2000, SHARE_WHOLE_PPM, default_share_ppm=SHARE_WHOLE_PPM) == SHARE_WHOLE_PPM
    answer = await first.exchange(is_last=True)
    assert (answer.rates, answer.default_share_ppm) == ((), 0)
    assert (await second.exchange(is_last=False)).default_share_ppm == 0, "not alone: the first may come back"
    assert await ask(second, limit_id, 2000) == SHARE_WHOLE_PPM


async def test_last_word_keeps_what_it_names(ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await let_both_speak(gateways)
    rates = [{"limit_id": limit_id, "share_ppm": 600_000, "demand_per_minute": 0}]
    await first.exchange(is_last=True, rates=rates)
    assert await ask(second, limit_id, 2000) == 400_000


async def test_shares_of_a_revoked_gateway_are_the_others(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]
) -> None:
    limit_id, (first, second) = name_limit(ledger), gateways
    await first.exchange()
    await second.exchange()
    assert await ask(second, limit_id, 2000) == 0
    async with ledger.storage.write() as transaction:
        machine = await transaction.machines.get(EVERYTHING, first.gateway_id)
        await transaction.machines.update(replace(machine, revoked_at=NOW, version=machine.version + 1))
    assert await ask(second, limit_id, 2000) == SHARE_WHOLE_PPM
    assert (await second.exchange()).default_share_ppm == SHARE_WHOLE_PPM


async def test_small_limit_has_one_home(ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]) -> None:
    limit_id, (first, second) = name_limit(ledger, "tokens"), gateways
    await let_both_speak(gateways)
    assert await ask(first, limit_id, 10) == SHARE_WHOLE_PPM
    assert await ask(second, limit_id, 15) == 0


async def test_limit_that_is_none_any_more_is_let_go(ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]) -> None:
    limit_id = f"key:{ledger.world.right.key.id}:requests"
    await let_both_speak(gateways)
    assert await ask(gateways[0], limit_id, 10, 400_000) == 0
    assert [share.share_ppm for share in await list_shares(ledger.storage)] == [400_000]
    assert await ask(gateways[0], limit_id, 0, 0) == 0
    assert await list_shares(ledger.storage) == []


async def test_report_that_grows_too_long_gives_up_what_is_idle(
    ledger: IntakeWorld, gateways: tuple[Gateway, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    await let_both_speak(gateways)
    lines = [(name_limit(ledger, kind), 100_000, demand) for kind, demand in (("requests", 0), ("calls", 5))]
    answer = await report(gateways[0], lines)
    assert all(line.share_ppm for line in answer.rates)
    monkeypatch.setattr("keisan.ledger.share.CREDIT_LINES_MAX", 3)
    answer = await report(gateways[0], lines)
    assert {line.limit_id: bool(line.share_ppm) for line in answer.rates} == {lines[0][0]: False, lines[1][0]: True}
    assert CREDIT_LINES_MAX > 3


async def test_every_limit_of_every_layer_is_found(ledger: IntakeWorld) -> None:
    left, right = ledger.world.left, ledger.world.right
    owners = {"organization": left.organization.id, "project": left.project.id, "key": left.key.id}
    named = {
        f"{owner}:{owner_id}:{kind}": bound
        for owner, owner_id in owners.items()
        for kind, bound in (("requests", 1000), ("tokens", 50), ("calls", 2000))
    }
    none = [f"key:{right.key.id}:calls", f"project:{left.key.id}:calls"]
    async with ledger.storage.read() as view:
        assert await load_bounds(view, [*named, *none]) == named


async def test_shares_are_the_platforms_to_see(ledger: IntakeWorld, gateways: tuple[Gateway, Gateway]) -> None:
    await let_both_speak(gateways)
    await ask(gateways[0], name_limit(ledger), 2000)
    expected = Share(name_limit(ledger), gateways[0].gateway_id, ledger.world.platform.id, SHARE_WHOLE_PPM, 2000)
    assert await list_shares(ledger.storage) == [expected]
    async with ledger.storage.read() as view:
        assert await view.shares.list_gateway(EVERYTHING, gateways[1].gateway_id) == []
