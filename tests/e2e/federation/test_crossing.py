"""Calls that cross platforms: who serves them, what both ends write down, and what happens without a way."""

import asyncio
import json
import time

import pytest

from keisan.domain.verdict import Verdict
from keisan.wire.snapshot import SnapshotChip, SnapshotTables
from keisan.wire.usage_record import parse_usage_record
from tests.e2e.federation.stage import (
    COAST,
    INLAND,
    NATION,
    TICKET_ID,
    WHOLESALE_ID,
    Federation,
    build_offer,
    build_ticket,
    run_federation,
    wait_for_links,
)
from tests.e2e.relay.client import ANSWER_S_MAX, Answer, build_request, read_answer
from tests.e2e.relay.engine import LAST_CHUNK, Asked
from tests.e2e.relay.snapshot import API_KEY, MODEL

pytestmark = pytest.mark.waits

CROSSING = {"home_platform_id": COAST, "serving_platform_id": INLAND, "ticket_id": str(TICKET_ID)}
# Found by pings, whose times add up to 7 s.
FOUND_S_MAX = 10.0
CHIP = SnapshotChip(facts={})


@pytest.mark.parametrize("is_stream", [False, True])
async def test_call_is_served_by_the_other_province_and_written_down_at_both_ends(is_stream: bool) -> None:
    async with run_federation() as federation:
        answer = await federation.coast.call(1, is_stream=is_stream)
        assert answer.status == 200, answer
        if is_stream:
            assert b"tok4" in answer.body
            assert answer.body.endswith(b"data: [DONE]\n\n")
            assert b'"usage"' not in answer.body, "the client did not ask for it"
        else:
            assert answer.read_json()["usage"]["completion_tokens"] == 4
        home, serving = await federation.read_both(answer.record_id)
        assert (home["record_id"], home["crossing"], serving["crossing"]) == (serving["record_id"], CROSSING, CROSSING)
        assert (home["platform_id"], serving["platform_id"]) == (COAST, INLAND)
        assert home["quantities"] == serving["quantities"] == {"input": 7, "input_cached": 30, "output": 4}
        # The customer pays home's price, and home owes the wholesale price that the ticket pins.
        assert (home["amount_nano"], serving["amount_nano"]) == ("11000", "2200")
        assert serving["price_id"] == str(WHOLESALE_ID)
        assert (home["day"], home["admitted_at_ms"]) == (serving["day"], serving["admitted_at_ms"])
        assert home["response_bytes"] == len(answer.body)
        assert federation.inland.engine.count_produced(answer.record_id).tokens == 4
        # The platform between them has no part in it.
        assert federation.nation.records == {}
        assert sum(len(attempts) for attempts in federation.nation.engine.log.values()) == 0
        for line in (federation.coast.lender.texts, federation.inland.lender.texts):
            crossing = parse_usage_record(line[answer.record_id]).crossing
            assert crossing is not None
            assert crossing._asdict() == {**CROSSING, "ticket_id": TICKET_ID}


async def test_own_replica_serves_first_and_its_record_says_nothing_of_platforms() -> None:
    def offer_more(tables: SnapshotTables) -> SnapshotTables:
        return tables.model_copy(update={"platform_offers": {"x": build_offer(NATION)}})

    async with run_federation(changes={INLAND: offer_more}) as federation:
        answer = await federation.inland.call(1)
        assert answer.status == 200
        await federation.inland.lender.wait_for_records(1)
        assert "crossing" not in federation.inland.records[answer.record_id]


async def test_models_are_listed_with_what_other_platforms_offer() -> None:
    async with run_federation() as federation:
        head = f"GET /v1/models HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {API_KEY}\r\n\r\n".encode()
        (model,) = (await federation.coast.ask(head)).read_json()["data"]
        assert model["id"] == MODEL
        (offer,) = model["offers"]
        assert (offer["platform"], offer["region"], offer["verdict"]) == ("inland", "CN-SX", "ok")
        assert offer["nano_per_million"]["output"] == "300000000"
        (local,) = (await federation.inland.ask(head)).read_json()["data"]
        assert "offers" not in local


async def test_no_way_is_told_at_once_and_a_parent_that_comes_back_is_found() -> None:
    async with run_federation() as federation:
        assert (await federation.coast.call(1)).status == 200
        federation.nation.running.kill()
        await wait_for_links(federation.coast, 0)
        begun = time.monotonic()
        answer = await federation.coast.call(2)
        assert (answer.status, answer.code) == (503, "platform_unreachable")
        assert time.monotonic() - begun < 2.0
        await federation.nation.start()
        await federation.wait_until_linked()
        assert (await federation.coast.call(3)).status == 200


async def test_link_that_fell_silent_is_found_by_pings() -> None:
    async with run_federation(has_cables=True) as federation:
        federation.cables[INLAND].silence()
        begun = time.monotonic()
        await wait_for_links(federation.nation, 1)
        assert time.monotonic() - begun < FOUND_S_MAX
        answer = await federation.coast.call(1)
        assert (answer.status, answer.code) == (503, "platform_unreachable")
        federation.cables[INLAND].cut()
        federation.cables[INLAND].mend()
        await federation.wait_until_linked()
        assert (await federation.coast.call(2)).status == 200


async def call_until_cut(federation: Federation, last: bytes) -> Answer:
    """Stream from inland to coast, and cut inland off as soon as the client has the last token."""
    async with asyncio.timeout(ANSWER_S_MAX):
        reader, writer = await asyncio.open_connection(*federation.coast.running.address)
        writer.write(build_request(1, is_stream=True))
        begun = await reader.readuntil(last)
        federation.cables[INLAND].cut()
        whole = asyncio.StreamReader()
        whole.feed_data(begun + await reader.readuntil(LAST_CHUNK))
        writer.close()
        return await read_answer(whole)


async def test_stream_whose_link_is_cut_ends_with_an_error_and_both_ends_bill_what_came() -> None:
    async def stop_halfway(asked: Asked) -> None:
        await asked.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for position in range(1, 4):
            await asked.send_token(position)
        await asked.wait_until_closed()

    async with run_federation(stop_halfway, has_cables=True) as federation:
        answer = await call_until_cut(federation, b"tok3")
        assert answer.code == "engine_lost"
        home, serving = await federation.read_both(answer.record_id)
        assert (home["outcome"], serving["outcome"]) == ("engine_cut", "client_closed")
        assert serving["quantities"]["output"] == 3
        assert home["quantities"].get("output", 0) <= 3
        (attempt,) = federation.inland.engine.log[answer.record_id]
        assert attempt.is_cancelled


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("region in CN-SX", None),
        ("platform in " + INLAND, None),
        ("designed_in in CN", None),
        ("region in CN-SH", "policy_unsatisfied"),
        ("platform in " + COAST, "policy_unsatisfied"),
        ("designed_in in CN @ M", "policy_unsatisfied"),
        ("advisory none", "policy_unsatisfied"),
    ],
)
async def test_policy_holds_of_the_platform_that_serves(policy: str, code: str | None) -> None:
    def know_chip(tables: SnapshotTables) -> SnapshotTables:
        facts = build_offer(INLAND).facts
        return tables.model_copy(update={"chips": {"cpu-x86-64": CHIP.model_copy(update={"facts": facts})}})

    async with run_federation(changes={INLAND: know_chip}) as federation:
        answer = await federation.coast.call(1, policy=policy)
        assert answer.code == code


async def test_serving_end_judges_policies_again_on_what_it_knows_itself() -> None:
    """Home was told that the chip is designed in CN; inland knows nothing of the kind of its own chip, so it fails closed."""
    async with run_federation() as federation:
        answer = await federation.coast.call(1, policy="designed_in in CN")
        assert (answer.status, answer.code) == (403, "policy_unsatisfied")
        assert federation.inland.engine.log == {}
        assert (await federation.coast.call(2)).status == 200


async def test_organization_policy_of_the_ticket_binds_at_the_serving_end() -> None:
    def narrow(tables: SnapshotTables) -> SnapshotTables:
        ticket = build_ticket(policy="region in CN-SH")
        return tables.model_copy(update={"platform_tickets": {str(TICKET_ID): ticket}})

    async with run_federation(changes={INLAND: narrow}) as federation:
        assert (await federation.coast.call(1)).code == "policy_unsatisfied"
        assert federation.inland.engine.log == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "ticket_unknown"),
        ({"home_platform_id": NATION}, "ticket_misplaced"),
        ({"audience_platform_id": NATION}, "ticket_misplaced"),
        ({"ends_at_ms": 1_000}, "ticket_expired"),
    ],
)
async def test_tickets_that_do_not_pay_are_told_by_kind(changes: dict[str, object], code: str) -> None:
    def change(tables: SnapshotTables) -> SnapshotTables:
        tickets = {str(TICKET_ID): build_ticket(**changes)} if changes else {}
        return tables.model_copy(update={"platform_tickets": tickets})

    async with run_federation(changes={INLAND: change}) as federation:
        answer = await federation.coast.call(1)
        assert answer.code == code
        assert federation.inland.engine.log == {}
        # Home admitted the call, so it wrote a record, of nothing.
        await federation.coast.lender.wait_for_records(1)
        (home,) = federation.coast.records.values()
        assert (home["outcome"], home["amount_nano"], home["quantities"]) == ("engine_refused", "0", {})
        assert federation.inland.records == {}


async def test_ticket_that_is_spent_is_told_and_nothing_is_served() -> None:
    async with run_federation(credit_nano=1) as federation:
        answer = await federation.coast.call(1)
        assert (answer.status, answer.code) == (402, "ticket_spent")
        assert federation.inland.engine.log == {}


async def test_platform_without_a_ticket_is_no_candidate_and_one_that_is_not_well_is_none() -> None:
    def lose_ticket(tables: SnapshotTables) -> SnapshotTables:
        return tables.model_copy(update={"platform_tickets": {}})

    def doubt(tables: SnapshotTables) -> SnapshotTables:
        doubted = tables.platforms[INLAND].model_copy(update={"verdict": Verdict.UNKNOWN})
        return tables.model_copy(update={"platforms": tables.platforms | {INLAND: doubted}})

    for change, code in ((lose_ticket, "ticket_unknown"), (doubt, "platform_unreachable")):
        async with run_federation(changes={COAST: change}) as federation:
            answer = await federation.coast.call(1)
            assert answer.code == code
            assert federation.nation.records == federation.inland.records == {}


async def test_oversize_request_is_refused_before_it_leaves_and_a_large_one_crosses() -> None:
    async with run_federation() as federation:
        long = "x" * 1_000_000
        request = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": f"{long} 7"}], "max_tokens": 5})
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {API_KEY}\r\n"
            f"content-length: {len(request)}\r\n\r\n"
        )
        assert (await federation.coast.ask(head.encode() + request.encode())).status == 200
