"""Snapshots and deltas (R10): whole or refused, never backwards, and the same digest across versions of the software."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.wire.snapshot import (
    TABLE_NAMES,
    Snapshot,
    SnapshotAnswer,
    SnapshotDelta,
    SnapshotKey,
    SnapshotLimits,
    SnapshotTables,
    apply_delta,
    check_snapshot,
    digest_tables,
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
    written = json.loads(build_snapshot({}, 3).model_dump_json()) | {"digest": digest}
    written["tables"]["keys"]["a"] = json.loads(row.model_dump_json())
    read = Snapshot.model_validate_json(json.dumps(written))
    check_snapshot(read)
    assert json.loads(read.model_dump_json())["tables"]["keys"]["a"]["budget_nano"] == "5"


def test_answer_crosses_as_one_of_two() -> None:
    answer = SnapshotAnswer(delta=build_difference(OLD, NEW))
    again = SnapshotAnswer.model_validate_json(answer.model_dump_json())
    assert again.snapshot is None
    assert again.delta is not None
    assert apply_delta(OLD, again.delta) == NEW
