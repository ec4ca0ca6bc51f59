"""The snapshot compiler: what is left out, what each row says, and the golden snapshot that the relay reads."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from keisan.control.snapshot_tables import (
    PlatformTables,
    SnapshotRows,
    compile_price,
    compile_tables,
    name_engine,
)
from keisan.domain.access import Role
from keisan.domain.call_limits import CallLimits
from keisan.domain.chip import Chip, ChipFact
from keisan.domain.engine import EngineProfile, RunningUsage
from keisan.domain.evidence import Evidence, Grade
from keisan.domain.fact import FactName
from keisan.domain.ids import ModelId
from keisan.domain.key import Key, Secret, digest_secret
from keisan.domain.model import Surface
from keisan.domain.organization import Billing
from keisan.domain.price import TokenClass
from keisan.domain.replica import Endpoint, ReplicaState
from keisan.domain.verdict import Verdict
from keisan.kit.clock import to_milliseconds
from keisan.wire.snapshot import (
    SNAPSHOT_SCHEMA_VERSION,
    Snapshot,
    SnapshotFact,
    SnapshotNeighbour,
    SnapshotPlatform,
    SnapshotPlatformOffer,
    SnapshotPlatformTicket,
    SnapshotRow,
    SnapshotTables,
    check_snapshot,
    digest_tables,
)
from tests.control.rows import STATES, State, compile_state
from tests.domain.samples import (
    CERTIFICATE,
    ENGINE,
    FACTS,
    KEY_ID,
    MODEL_ID,
    NOW,
    ORGANIZATION_ID,
    PLATFORM_ID,
    PRICE_ID,
    PROJECT_ID,
    REPLICA_ID,
    SITE_ID,
    build_chip,
    build_door,
    build_key,
    build_model,
    build_organization,
    build_price,
    build_project,
    build_replica,
    build_site,
    name_id,
)

PARENT_ID, SIBLING_ID = "cd" * 32, "ef" * 32
GOLDEN = Path(__file__).parents[1] / "golden" / "snapshot.json"
ROWS = SnapshotRows(
    organizations=[build_organization()],
    projects=[build_project()],
    keys=[build_key()],
    models=[build_model()],
    prices={MODEL_ID: build_price()},
    sites=[build_site()],
    replicas=[build_replica()],
    chips=[build_chip(vendor=("AMD",))],
)


@given(STATES)
def test_only_what_can_be_called_is_told(state: State) -> None:
    tables = compile_tables(state.to_rows())
    priced = {price.model_id for price in state.prices.values()}
    assert set(tables.models) == {str(model.id) for model in state.models.values() if model.id in priced}
    assert set(tables.keys) == {str(key.id) for key in state.keys.values()}
    assert {model.price_id for model in tables.models.values()} <= {price.id for price in state.prices.values()}
    assert {str(model.price_id) for model in tables.models.values()} <= set(tables.prices)
    served = [one for one in state.replicas.values() if one.state is ReplicaState.READY and one.endpoint]
    assert set(tables.replicas) == {str(replica.id) for replica in served}


@given(STATES)
def test_same_rows_in_another_order_give_the_same_digest(state: State) -> None:
    rows = state.to_rows()
    turned = SnapshotRows(
        organizations=list(reversed(list(rows.organizations))),
        projects=list(reversed(list(rows.projects))),
        keys=list(reversed(list(rows.keys))),
        models=list(reversed(list(rows.models))),
        prices=dict(reversed(list(rows.prices.items()))),
        sites=list(reversed(list(rows.sites))),
        replicas=list(reversed(list(rows.replicas))),
        chips=list(reversed(list(rows.chips))),
        doors=list(reversed(rows.doors)),
    )
    assert digest_tables(compile_tables(turned)) == digest_tables(compile_tables(rows))


@given(STATES)
def test_snapshot_comes_back_from_json_with_its_digest(state: State) -> None:
    snapshot = compile_state(state, 3)
    again = Snapshot.model_validate_json(snapshot.model_dump_json())
    check_snapshot(again)
    assert again == snapshot


def test_key_row_has_the_rights_of_its_role_and_no_secret() -> None:
    row = compile_tables(ROWS).keys[str(KEY_ID)]
    assert row.rights == ("call", "read")
    assert (row.organization_id, row.project_id, row.models) == (ORGANIZATION_ID, PROJECT_ID, None)
    auditor = compile_tables(replace(ROWS, keys=[build_key(role=Role.AUDITOR)])).keys[str(KEY_ID)]
    assert "call" not in auditor.rights


def test_model_row_pins_its_price() -> None:
    tables = compile_tables(ROWS)
    row = tables.models[str(MODEL_ID)]
    assert (row.name, row.price_id, row.created_at_s) == (FACTS.name, PRICE_ID, to_milliseconds(NOW) // 1000)
    assert tables.prices[str(PRICE_ID)].nano_per_million == {
        "input": "500000000",
        "input_cached": "50000000",
        "output": "1500000000",
    }


def test_replica_row_names_the_engine_of_its_own_site() -> None:
    tables = compile_tables(ROWS)
    row = tables.replicas[str(REPLICA_ID)]
    assert row.engine == name_engine(SITE_ID, "llama_cpp")
    assert row.engine in tables.engines
    assert (row.region, row.verdict, row.upstream.path) == ("JP-13", Verdict.OK, "/run/keisan/e.sock")


@pytest.mark.parametrize("state", set(ReplicaState) - {ReplicaState.READY})
def test_replica_that_is_not_ready_is_left_out(state: ReplicaState) -> None:
    assert compile_tables(replace(ROWS, replicas=[build_replica(state=state)])).replicas == {}


DOOR_SECRET = Secret("dk-keisan-test")


def test_replica_behind_a_door_is_told_the_way_through_it_and_no_other() -> None:
    tables = compile_tables(replace(ROWS, doors=[(build_door(), DOOR_SECRET)]))
    upstream = tables.replicas[str(REPLICA_ID)].upstream
    assert (upstream.kind, upstream.path) == ("door", f"/replicas/{REPLICA_ID}")
    assert (upstream.host, upstream.port, upstream.is_tls) == ("door.example", 8443, True)
    row = tables.doors[str(SITE_ID)]
    assert (row.host, row.port, row.is_tls, row.secret) == ("door.example", 8443, True, "dk-keisan-test")
    assert row.certificates == CERTIFICATE
    # The engine's socket is told to nobody.
    assert "e.sock" not in tables.model_dump_json()


def test_door_of_another_site_changes_nothing_here() -> None:
    tables = compile_tables(replace(ROWS, doors=[(build_door(id=name_id(6, 2)), DOOR_SECRET)]))
    assert tables.replicas[str(REPLICA_ID)].upstream.kind == "unix"


def list_unset(part: object, place: str = "") -> list[str]:
    """Return the fields of rows, and of their parts, that were never set."""
    if isinstance(part, dict):
        return [found for name, inner in part.items() for found in list_unset(inner, f"{place}.{name}")]
    if not isinstance(part, SnapshotRow | SnapshotTables):
        return []
    fields = set(type(part).model_fields)
    inner = [found for name in fields for found in list_unset(getattr(part, name), f"{place}.{name}")]
    return [f"{place}.{name}" for name in fields - part.model_fields_set] + inner


def test_every_field_is_set_so_that_the_digest_covers_it_on_both_sides() -> None:
    assert list_unset(build_golden().tables) == []


def test_failed_replica_stays_with_its_verdict() -> None:
    tables = compile_tables(replace(ROWS, replicas=[build_replica(verdict=Verdict.FAILED)]))
    assert tables.replicas[str(REPLICA_ID)].verdict is Verdict.FAILED


PREPAID = build_organization(
    id=name_id(1, 2),
    billing=Billing.PREPAID,
    snapshot_age_s_max=3600,
    limits=CallLimits(requests_per_minute=6000, body_bytes_max=1_048_576),
    policy="designed_in in CN @ B; region in CN, JP-13",
)


def build_golden_keys() -> list[Key]:
    """Return keys of three kinds, one of them narrow."""
    return [
        build_key(digest=digest_secret(Secret("sk-keisan-golden-developer"))),
        build_key(
            id=name_id(3, 2),
            organization_id=PREPAID.id,
            project_id=name_id(2, 2),
            digest=digest_secret(Secret("sk-keisan-golden-narrow")),
            models=("smollm2-135m-instruct",),
            limits=CallLimits(requests_per_minute=600, tokens_per_minute=100_000, calls_open_max=8),
            policy="advisory none @ B",
        ),
        build_key(id=name_id(3, 3), digest=digest_secret(Secret("sk-keisan-golden-auditor")), role=Role.AUDITOR),
    ]


def build_golden_chips() -> list[Chip]:
    """Return a chip of which nothing is known, one without an advisory, and one under one, on other evidence."""
    vendor, press = (Evidence("a source", grade, NOW.date()) for grade in (Grade.VENDOR, Grade.PRESS))
    h20 = {
        FactName.VENDOR: ChipFact(("NVIDIA",), vendor),
        FactName.DESIGNED_IN: ChipFact(("US",), vendor),
        FactName.ADVISORY: ChipFact(("CN-CAC-2025-07-31",), press),
    }
    return [
        build_chip(),
        build_chip("ascend-910c", vendor=("Huawei",), software_stack=("CANN", "MindSpore"), advisory=()),
        replace(build_chip("nvidia-h20"), facts=h20),
    ]


def build_golden_elsewhere() -> PlatformTables:
    """Return a parent, a sibling behind it with an address, what both offer, and a ticket in each direction."""
    fact = SnapshotFact(values=("Huawei",), grade=Grade.VENDOR)
    price_id, ends_at_ms = name_id(10, 3), to_milliseconds(NOW) + 96 * 3_600_000

    def build_offer(platform_id: str, verdict: Verdict) -> SnapshotPlatformOffer:
        return SnapshotPlatformOffer(
            platform_id=platform_id,
            model="tiny-8b",
            model_digest=f"sha256:{'5e' * 32}",
            region="CN-SH" if platform_id == SIBLING_ID else "",
            chip="ascend-910c",
            facts={"vendor": fact},
            verdict=verdict,
            slots=32,
            price_id=price_id,
            attested_at_ms=None,
        )

    def build_ticket(home_id: str, audience_id: str) -> SnapshotPlatformTicket:
        return SnapshotPlatformTicket(
            organization_id=ORGANIZATION_ID,
            home_platform_id=home_id,
            audience_platform_id=audience_id,
            policy="region in CN",
            currency="CNY",
            price_ids={"tiny-8b": price_id},
            ends_at_ms=ends_at_ms,
        )

    wholesale = build_price(
        id=price_id, model_id=name_id(9, 3), nano_per_million={TokenClass.INPUT: 4, TokenClass.OUTPUT: 8}
    )
    return PlatformTables(
        platforms={
            PARENT_ID: SnapshotPlatform(name="nation", region="CN", verdict=Verdict.OK, next_hop=None, address=None),
            SIBLING_ID: SnapshotPlatform(
                name="coast", region="CN-SH", verdict=Verdict.OK, next_hop=PARENT_ID, address="coast.example:8443"
            ),
        },
        neighbours={PARENT_ID: SnapshotNeighbour(side="parent")},
        offers={
            f"{PARENT_ID}/tiny-8b": build_offer(PARENT_ID, Verdict.UNKNOWN),
            f"{SIBLING_ID}/tiny-8b": build_offer(SIBLING_ID, Verdict.OK),
        },
        tickets={
            str(name_id(11, 1)): build_ticket(PLATFORM_ID, SIBLING_ID),
            str(name_id(11, 2)): build_ticket(SIBLING_ID, PLATFORM_ID),
        },
        prices={str(price_id): compile_price(wholesale)},
    )


def build_golden() -> Snapshot:
    """Return two models at two sites, keys of three kinds under two organizations, replicas of all verdicts, and chips."""
    small = replace(FACTS, name="tiny-8b", owner="Example", surfaces=(Surface.CHAT,), context_tokens=8192)
    vllm = EngineProfile(RunningUsage.CONTINUOUS_USAGE, 60, 1000, is_usage_summed_over_choices=True)
    free = {TokenClass.INPUT: 0, TokenClass.OUTPUT: 0, TokenClass.REASONING: 10**18}
    other = {"id": name_id(12, 2), "site_id": name_id(6, 2), "model_id": name_id(9, 2), "engine": "vllm"}
    rows = SnapshotRows(
        organizations=[build_organization(), PREPAID],
        projects=[
            build_project(limits=CallLimits(tokens_per_minute=2**63 - 1)),
            build_project(id=name_id(2, 2), organization_id=PREPAID.id, policy="attestation_age_s <= 86400"),
        ],
        keys=build_golden_keys(),
        models=[build_model(), build_model(id=name_id(9, 2), facts=small)],
        prices={
            MODEL_ID: build_price(version=2),
            ModelId(name_id(9, 2)): build_price(
                id=name_id(10, 2), model_id=name_id(9, 2), currency="JPY", nano_per_million=free
            ),
        },
        sites=[
            build_site(),
            build_site(id=name_id(6, 2), region="CN-SX", engines={"llama_cpp": ENGINE, "vllm": vllm}),
        ],
        replicas=[
            build_replica(),
            build_replica(**other, endpoint=Endpoint("unix", "/run/keisan/v.sock"), verdict=Verdict.UNKNOWN),
            build_replica(id=name_id(12, 3), verdict=Verdict.FAILED, message="serves other weights"),
        ],
        chips=build_golden_chips(),
        doors=[(build_door(id=name_id(6, 2)), Secret("dk-keisan-golden"))],
        budgeted={name_id(3, 3), name_id(2, 2)},
        elsewhere=build_golden_elsewhere(),
    )
    tables = compile_tables(rows)
    return Snapshot(
        schema_version=SNAPSHOT_SCHEMA_VERSION,
        platform_id=PLATFORM_ID,
        incarnation=name_id(99),
        version=17,
        compiled_at_ms=to_milliseconds(NOW),
        digest=digest_tables(tables),
        tables=tables,
    )


def test_golden_snapshot_is_what_the_compiler_writes() -> None:
    text = json.dumps(json.loads(build_golden().model_dump_json()), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text, "UPDATE_GOLDEN=1 writes it anew; the relay reads it too"


def test_golden_snapshot_is_whole() -> None:
    check_snapshot(Snapshot.model_validate_json(GOLDEN.read_text(encoding="utf-8")))
