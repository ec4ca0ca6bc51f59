"""Snapshots and deltas (R10): whole or refused, never backwards, and the same digest across versions of the software."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from keisan.domain.errors import InvalidInput
from keisan.wire.snapshot import (
    SNAPSHOT_SCHEMA_VERSION,
    TABLE_NAMES,
    Snapshot,
    SnapshotAnswer,
    SnapshotDelta,
    SnapshotKey,
    SnapshotLimits,
    SnapshotRow,
    SnapshotTables,
    apply_delta,
    check_snapshot,
    digest_tables,
    encode_snapshot,
)
from tests.domain.samples import ORGANIZATION_ID, PLATFORM_ID, PROJECT_ID, name_id

INCARNATION = name_id(99)
DIGESTS = st.sampled_from(["aa" * 32, "bb" * 32])
KEY_TABLES = st.dictionaries(st.sampled_from([str(name_id(3, number)) for number in range(5)]), DIGESTS)


NO_LIMITS = SnapshotLimits(requests_per_minute=None, tokens_per_minute=None, calls_open_max=None, body_bytes_max=None)


def build_row(digest: str) -> SnapshotKey:
    return SnapshotKey(
        digest=digest,
        organization_id=ORGANIZATION_ID,
        project_id=PROJECT_ID,
        rights=("call",),
        models=None,
        limits=NO_LIMITS,
        policy="",
    )


def build_snapshot(keys: dict[str, str], version: int) -> Snapshot:
    tables = SnapshotTables(keys={row_id: build_row(digest) for row_id, digest in keys.items()})
    return Snapshot(
        schema_version=SNAPSHOT_SCHEMA_VERSION,
        platform_id=PLATFORM_ID,
        incarnation=INCARNATION,
        version=version,
        compiled_at_ms=version,
        digest=digest_tables(tables),
        tables=tables,
    )


def build_difference(before: Snapshot, after: Snapshot) -> SnapshotDelta:
    old, new = before.tables.keys, after.tables.keys
    return SnapshotDelta(
        incarnation=after.incarnation,
        base_version=before.version,
        version=after.version,
        compiled_at_ms=after.compiled_at_ms,
        digest=after.digest,
        put=SnapshotTables(keys={row_id: row for row_id, row in new.items() if old.get(row_id) != row}),
        drop={"keys": tuple(sorted(old.keys() - new.keys()))},
    )


@given(before=KEY_TABLES, after=KEY_TABLES)
def test_delta_leads_to_the_full_state(before: dict[str, str], after: dict[str, str]) -> None:
    old, new = build_snapshot(before, 4), build_snapshot(after, 6)
    assert apply_delta(old, build_difference(old, new)) == new


@given(before=KEY_TABLES, after=KEY_TABLES)
def test_base_is_left_as_it_was(before: dict[str, str], after: dict[str, str]) -> None:
    old, new = build_snapshot(before, 4), build_snapshot(after, 6)
    apply_delta(old, build_difference(old, new))
    assert old == build_snapshot(before, 4)


OLDER = Path(__file__).parents[1] / "golden" / "snapshot_before_doors.json"
REQUIRED = {
    "SnapshotLimits": {"requests_per_minute", "tokens_per_minute", "calls_open_max", "body_bytes_max"},
    "SnapshotKey": {"digest", "organization_id", "project_id", "rights", "models", "limits", "policy"},
    "SnapshotModel": {
        "name",
        "owner",
        "surfaces",
        "capabilities",
        "context_tokens",
        "output_tokens_max",
        "template_tokens_max",
        "price_id",
        "created_at_s",
    },
    "SnapshotPrice": {"model_id", "version", "currency", "nano_per_million"},
    "EngineProfile": {
        "running_usage",
        "idle_connection_s",
        "requests_per_connection_max",
        "is_usage_summed_over_choices",
    },
    "SnapshotUpstream": {"kind", "path"},
    "SnapshotDoor": {"host", "port", "is_tls", "secret"},
    "SnapshotPlatform": {"name", "region", "verdict"},
    "SnapshotNeighbour": {"side"},
    "SnapshotPlatformOffer": {
        "platform_id",
        "model",
        "model_digest",
        "region",
        "chip",
        "facts",
        "verdict",
        "slots",
        "price_id",
    },
    "SnapshotPlatformTicket": {
        "organization_id",
        "home_platform_id",
        "audience_platform_id",
        "policy",
        "currency",
        "price_ids",
        "ends_at_ms",
    },
    "SnapshotReplica": {
        "model_id",
        "deployment_id",
        "provider_id",
        "site_id",
        "node_id",
        "region",
        "chip",
        "engine",
        "model_digest",
        "verdict",
        "slots",
        "upstream",
        "attested_at_ms",
        "prefill_tokens_per_s",
    },
    "SnapshotOrganization": {"billing", "snapshot_age_s_max", "limits", "policy"},
    "SnapshotProject": {"organization_id", "limits", "policy"},
    "SnapshotFact": {"values", "grade"},
    "SnapshotChip": {"facts"},
}
OLD, NEW = build_snapshot({"a": "aa" * 32}, 4), build_snapshot({"a": "bb" * 32, "b": "aa" * 32}, 6)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"incarnation": name_id(98)}, "incarnation"),
        ({"base_version": 5}, "base_version"),
        ({"base_version": 3}, "base_version"),
        ({"version": 3}, "base_version"),
        ({"digest": "00" * 32}, "digest"),
        ({"put": SnapshotTables()}, "digest"),
        ({"drop": {"keys": ("a", "b")}, "put": SnapshotTables()}, "digest"),
    ],
    ids=str,
)
def test_delta_that_does_not_fit_is_refused(changes: dict[str, object], field: str) -> None:
    delta = build_difference(OLD, NEW).model_copy(update=changes)
    with pytest.raises(InvalidInput) as refusal:
        apply_delta(OLD, delta)
    assert refusal.value.field == field


def test_delta_without_a_change_renews_the_time_only() -> None:
    same = build_snapshot({"a": "aa" * 32}, 4).model_copy(update={"compiled_at_ms": 99})
    assert apply_delta(OLD, build_difference(OLD, same)) == same


@given(KEY_TABLES)
def test_damaged_snapshot_is_found(keys: dict[str, str]) -> None:
    snapshot = build_snapshot(keys, 1)
    check_snapshot(snapshot)
    tables = SnapshotTables(keys=snapshot.tables.keys | {"one more": build_row("cc" * 32)})
    with pytest.raises(InvalidInput, match="digest"):
        check_snapshot(snapshot.model_copy(update={"tables": tables}))


def test_row_moved_to_another_table_changes_the_digest() -> None:
    assert digest_tables(SnapshotTables(keys={"a": build_row("aa" * 32)})) != digest_tables(SnapshotTables())
    assert len({digest_tables(SnapshotTables()), *TABLE_NAMES}) == len(TABLE_NAMES) + 1


def test_fields_of_a_newer_platform_are_passed_on_and_digested() -> None:
    class NewerKey(SnapshotKey):
        budget_nano: str

    row = NewerKey(**build_row("aa" * 32).model_dump(), budget_nano="5")
    digest = digest_tables(SnapshotTables.model_construct(None, keys={"a": row}))
    written = json.loads(encode_snapshot(build_snapshot({}, 3))) | {"digest": digest}
    written["tables"]["keys"]["a"] = json.loads(row.model_dump_json())
    read = Snapshot.model_validate_json(json.dumps(written))
    check_snapshot(read)
    assert json.loads(encode_snapshot(read))["tables"]["keys"]["a"]["budget_nano"] == "5"


def read_older() -> Snapshot:
    """Return a snapshot that a platform wrote before there were doors; the file is frozen."""
    return Snapshot.model_validate_json(OLDER.read_bytes())


def test_snapshot_of_an_older_platform_is_whole_and_stays_as_it_is() -> None:
    older = read_older()
    check_snapshot(older)
    assert older.tables.doors == {}
    assert {row.upstream.host for row in older.tables.replicas.values()} == {None}
    assert json.loads(encode_snapshot(older)) == json.loads(OLDER.read_bytes())
    check_snapshot(Snapshot.model_validate_json(encode_snapshot(older)))


def test_delta_of_an_older_platform_fits_what_it_wrote_before() -> None:
    older = read_older()
    row_id, row = next(iter(older.tables.keys.items()))
    tables = older.tables.model_copy(update={"keys": {row_id: row}})
    delta = SnapshotDelta(
        incarnation=older.incarnation,
        base_version=older.version,
        version=older.version + 1,
        compiled_at_ms=older.compiled_at_ms,
        digest=digest_tables(tables),
        put=SnapshotTables(),
        drop={"keys": tuple(older.tables.keys.keys() - {row_id})},
    )
    assert apply_delta(older, delta).tables.keys == {row_id: row}


def list_required(kind: type[BaseModel]) -> set[str]:
    return {name for name, field in kind.model_fields.items() if field.is_required()}


def test_fields_that_came_later_have_defaults() -> None:
    """A kept snapshot lacks them. The list of those that every snapshot ever kept has may only shrink."""
    kinds: list[type[BaseModel]] = [*SnapshotRow.__subclasses__(), SnapshotTables]
    required = {kind.__name__: list_required(kind) for kind in kinds if kind.__module__ == SnapshotRow.__module__}
    assert {name: fields for name, fields in required.items() if fields} == REQUIRED


def test_answer_crosses_as_one_of_two() -> None:
    answer = SnapshotAnswer(delta=build_difference(OLD, NEW))
    again = SnapshotAnswer.model_validate_json(answer.model_dump_json(exclude_unset=True))
    assert again.snapshot is None
    assert again.delta is not None
    assert apply_delta(OLD, again.delta) == NEW
