"""The attack: every operation of the published document, asked by everybody who must not get an answer.

The lists of exceptions may only shrink: one that is not needed any more fails too.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from keisan.domain.ids import InvitationId, LetterId, PlatformId
from keisan.domain.key import Secret
from keisan.kit.ids import create_id
from keisan.wire.invitation import InvitationToken, encode_token
from keisan.wire.letter import LetterDraft, encode_letter, sign_letter
from keisan.wire.link_ask import ASK_KIND, LinkAskBody, encode_body
from keisan.wire.name import encode_key_chain
from tests.api.stage import (
    MODEL_BODY,
    NANO_PER_MILLION,
    NOBODY,
    SURVEY,
    Stage,
    build_credit_report,
    build_record,
    build_report,
)
from tests.control.link_world import build_identity
from tests.telemetry.fleet import build_frame_body, build_inventory_body

# What the platform shows to every key, or that belongs to nobody: ids that an answer to a stranger may hold.
PUBLIC_IDS = frozenset({"model", "price", "provider", "umi", "beta", "second", "harbour"})
# Operation -> why it answers without a key.
OPEN_TO_NOBODY = {"get_health": "a load balancer has no key"}
OPEN_TO_GATEWAYS = {
    "get_health": "public",
    "fetch_snapshot": "its own",
    "hand_in_usage": "its own",
    "exchange_credit": "its own",
    "certify_gateway": "its own",
}
OPEN_TO_SITES = {
    "get_health": "public",
    "report_site": "its own",
    "put_inventory": "its own",
    "hand_in_frame": "its own",
    "commit_challenge": "its own",
    "answer_challenge": "its own",
    "read_series": "its own site",
}
# Operation -> what it cannot be asked without.
QUERIES = {
    "resolve_name": "?name=sx:platform:self:66",
    "draw_open_statement": "?holder_kind=customer&holder_id={organization_id}&currency=CNY",
    "list_positions": "?period=2026-11-20",
    "list_live_devices": "?site_id={site_id}",
    "list_live_supernodes": "?site_id={site_id}",
    # Without, it would go on for ever.
    "stream_rollups": "?events_max=1",
}
# Tables are refused line by line, so a line about another's site is a fault of the table and no 404.
TABLES = frozenset({"upload_facilities", "upload_claims"})
READERS = ("auditor", "developer")


@dataclass(frozen=True)
class Operation:
    name: str
    method: str
    path: str
    has_body: bool

    @property
    def is_write(self) -> bool:
        return self.method != "GET"


async def list_operations(stage: Stage) -> list[Operation]:
    document = (await stage.http.get("/api/v1/openapi.json")).json()
    return [
        Operation(operation["operationId"], method.upper(), path.removeprefix("/api/v1"), "requestBody" in operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]


def build_bodies(stage: Stage) -> dict[str, object]:
    """Return a good body for each operation, all of them about organization alpha and provider hikari."""
    ids = {name: str(value) for name, value in stage.ids.items()}
    return {
        "create_organization": {"name": "attack"},
        "update_organization": {"name": "attacked"},
        "create_project": {"name": "attack", "organization_id": ids["organization"]},
        "update_project": {"name": "attacked"},
        "create_key": {"name": "attack", "project_id": ids["project"]},
        "update_key": {"limits": {"requests_per_minute": 1}},
        "create_budget": {"project_id": ids["project"], "currency": "CNY", "amount_nano": "9", "period": "lifetime"},
        "update_budget": {"amount_nano": "5"},
        "admit_organization": {
            "organization_id": ids["organization"],
            "platform_id": "cd" * 32,
            "currency": "CNY",
            "credit_nano_max": "7",
        },
        "create_provider": {"name": "attack"},
        "create_site": {"name": "attack", "provider_id": ids["provider"], "region": "JP-13"},
        "create_join_token": {"kind": "site", "site_id": ids["site"]},
        "join_machine": {"token": "jt-keisan-guessed", "name": "attack", "secret_digest": "d" * 64},
        "create_invitation": {"url": "http://nation.test"},
        "ask_parent": {"letter": base64.b64encode(build_question(stage.control.platform_id)).decode()},
        "join_parent": {"token": build_invitation()},
        "move_parent": {"token": build_invitation()},
        "approve_link": {"region": "CN-SX", "prefix": "sx"},
        **{name: {"reason": "attack"} for name in ("reject_link", "revoke_link")},
        **build_trade_bodies(ids),
        "report_site": build_report(),
        "exchange_credit": build_credit_report(stage),
        "certify_gateway": {"public_key": "ab" * 32},
        "hand_in_usage": build_record(stage),
        "put_inventory": build_inventory_body(),
        "hand_in_frame": build_frame_body(),
    }


def build_trade_bodies(ids: Mapping[str, str]) -> dict[str, object]:
    """Return a good body for each operation on models, money, devices and facilities."""
    return {
        "create_model": MODEL_BODY | {"name": "attack"},
        "create_price": {"model_id": ids["model"], "currency": "CNY", "nano_per_million": NANO_PER_MILLION},
        "create_offer": {
            "provider_id": ids["provider"],
            "model_id": ids["model"],
            "currency": "CNY",
            "nano_per_million": NANO_PER_MILLION,
        },
        "create_deduction": {"kind": "margin", "provider_id": ids["provider"], "rate_ppm": 1_000_000},
        "create_deployment": {"model_id": ids["model"], "site_id": ids["site"]},
        "scale_deployment": {"replica_count": 0},
        "change_device_use": {"use": "draining", "reason": "attack"},
        "start_challenges": {"site_id": ids["site"], "may_disturb": True},
        "start_serving_challenge": {"deployment_id": ids["deployment"], "project_id": ids["project"]},
        "commit_challenge": {"commitment": "ab" * 32, "told_us": 1},
        "answer_challenge": {"leaves": []},
        "update_platform": {"four_eyes_nano": {"CNY": "1000"}},
        "create_webhook": {"url": "https://receiver.example/", "organization_id": ids["organization"]},
        "update_webhook": {"state": "disabled"},
        "create_top_up": {"amount_nano": "1000", "currency": "CNY", "note": "attack"},
        "close_statements": {"period": "2026-10"},
        "create_payout": {"note": "attack"},
        "open_dispute": {"reason": "attack"},
        "judge_suspense": {"verdict": "write_off", "note": "attack"},
        "judge_quarantine": {"verdict": "discard", "note": "attack"},
        "resolve_dispute": {"verdict": "rejected", "resolution": "attack"},
        "record_facility": {"measured_at": "2026-11-20T00:00:00Z", "power_w": 1},
        "upload_facilities": f"site,measured_at,power_w\n{ids['site']},2026-11-19T00:00:00Z,1\n".encode(),
        "refuse_grant": {"reason": "attack"},
        "end_grant": {"reason": "attack"},
        "update_grant_terms": {"automatic_count": 9},
        "ask_grant": {"child_id": "c" * 64, "count": 1, "duration_s": 3600, "on_expiry": "hold"},
        "set_grant_work": {"model_id": ids["model"]},
        "make_claim": {"chip": "metax-c600", "device_count": 1},
        "upload_claims": f"site,chip,device_count\n{ids['site']},metax-c550,1\n".encode(),
        "upload_surveys": SURVEY.replace(b"Datong", b"attack"),
        "withdraw_survey": {"source": "a yearbook", "date": "2026-01-01"},
    }


def build_question(parent_id: PlatformId) -> bytes:
    """Return what a platform asks that nobody invited."""
    own = build_identity(9)
    body = LinkAskBody(
        step="renew", title="attack", kind="regional", keys=encode_key_chain(own.keys), link_key=own.link_key, epoch=1
    )
    draft = LetterDraft(LetterId(create_id()), ASK_KIND, 1, audience=parent_id, body=encode_body(body))
    return encode_letter(sign_letter(draft, own.platform_id, own.signer))


def build_invitation() -> str:
    """Return the word that an admin of another platform would hand over."""
    own = build_identity(9)
    token = InvitationToken("http://parent.test", own.platform_id, InvitationId(create_id()), Secret("attack"))
    return encode_token(token).reveal()


async def attack(stage: Stage, who: str, operation: Operation) -> tuple[int, str]:
    """Ask one operation about things that are not the asker's; return the status and the text of the answer."""
    path = stage.fill_path(operation.path + QUERIES.get(operation.name, ""))
    body = build_bodies(stage)[operation.name] if operation.has_body else None
    answer = await stage.ask(who, operation.method, path, body, {"if-match": '"1"'})
    return answer.status_code, answer.text


async def attack_all(stage: Stage, who: str) -> Iterator[tuple[Operation, int, str]]:
    return iter([(operation, *await attack(stage, who, operation)) for operation in await list_operations(stage)])


def find_private(stage: Stage, text: str) -> set[str]:
    private = {name: str(value) for name, value in stage.ids.items() if name not in PUBLIC_IDS}
    return {name for name, value in private.items() if value in text}


async def test_document_lists_what_is_attacked(stage: Stage) -> None:
    operations = await list_operations(stage)
    assert len(operations) >= 93
    assert {operation.name for operation in operations if operation.has_body} == set(build_bodies(stage))
    assert all("{" not in operation.path or "_id}" in operation.path for operation in operations)


async def test_attack_would_work_for_an_admin(stage: Stage) -> None:
    """It would prove nothing if its requests were refused for their shape, or showed nothing worth hiding."""
    statuses = {operation.name: (status, text) for operation, status, text in await attack_all(stage, "admin")}
    shown = set().union(*(find_private(stage, text) for status, text in statuses.values() if status == 200))
    assert shown == set(stage.ids) - PUBLIC_IDS
    machine_only = {*OPEN_TO_GATEWAYS, *OPEN_TO_SITES} - {"get_health"}
    refused = {name: told for name, told in statuses.items() if told[0] >= 400 and name not in machine_only}
    # Who resolves disputes opens none, and no gateway has spoken that calls could go to. The deployment and the budget were changed just before, the guessed token is no token, the platform that asks has no link, what was approved is not rejected, and a link to a child is not left.
    told = {name: status for name, (status, _) in refused.items()}
    assert told == {
        "delete_deployment": 412,
        "delete_budget": 412,
        "join_machine": 401,
        "ask_parent": 401,
        "reject_link": 409,
        "leave_parent": 409,
        "move_parent": 409,
        "reject_top_up": 409,
        "open_dispute": 403,
        # No link leads to the other platform.
        "end_settlement": 404,
        "compare_settlement": 404,
        "start_serving_challenge": 409,
        # What was issued is not refused, its terms have changed with it, and what has ended is given no work.
        "refuse_grant": 409,
        "update_grant_terms": 412,
        "set_grant_work": 412,
        "end_grant_work": 412,
    }


@pytest.mark.parametrize("who", [NOBODY, "revoked"])
async def test_without_a_key_in_force_nothing_opens(stage: Stage, who: str) -> None:
    events = await stage.list_actions()
    opened = {operation.name for operation, status, _ in await attack_all(stage, who) if status != 401}
    assert opened == set(OPEN_TO_NOBODY)
    assert await stage.list_actions() == events


@pytest.mark.parametrize("who", ["stranger", "other_provider"])
async def test_strangers_neither_see_nor_change(stage: Stage, who: str) -> None:
    events = await stage.list_actions()
    for operation, status, text in await attack_all(stage, who):
        expected = {400, 403} if operation.name in TABLES else {200, 401, 403, 404}
        assert status in expected, (operation, status, text)
        assert not operation.is_write or status != 200, (operation, text)
        if status == 200:
            assert not find_private(stage, text), (operation, find_private(stage, text))
    assert await stage.list_actions() == events


@pytest.mark.parametrize(("who", "own"), [("gateway", OPEN_TO_GATEWAYS), ("site", OPEN_TO_SITES)])
async def test_machines_reach_their_own_exchange_only(stage: Stage, who: str, own: dict[str, str]) -> None:
    events = await stage.list_actions()
    answers = [(operation.name, status) for operation, status, _ in await attack_all(stage, who)]
    # The stage's platform has joined nobody, so its gateway needs no certificate.
    assert {name for name, status in answers if status < 300} == set(own) - {"certify_gateway"}
    assert {status for name, status in answers if name not in own} == {401, 403}
    assert [name for name, status in answers if status == 401] == ["join_machine", "ask_parent"]
    assert await stage.list_actions() == events


@pytest.mark.parametrize("who", READERS)
async def test_readers_change_nothing(stage: Stage, who: str) -> None:
    events = await stage.list_actions()
    for operation, status, text in await attack_all(stage, who):
        if operation.is_write:
            assert status in {401, 403}, (operation, status, text)
    assert await stage.list_actions() == events


async def test_no_answer_shows_a_secret_or_its_digest(stage: Stage) -> None:
    hidden = set(stage.secrets.values()) | {key.digest for key in stage.keys.values()}
    hidden |= {machine.digest for machine in stage.machines.values()}
    for who in ("admin", "auditor", "owner"):
        for operation, _, text in await attack_all(stage, who):
            # The snapshot is made of digests, and is for gateways.
            shown = {value for value in hidden if value in text}
            assert not shown, operation
