"""The feed of snapshots: deltas that lead exactly to the full state, whatever changed and however late they are made."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from keisan.control.snapshot import build_delta
from keisan.domain.snapshot import SnapshotTable
from keisan.wire.snapshot import SnapshotAnswer, apply_delta, digest_tables
from tests.control.rows import STATES, State, compile_state, list_touched, number_changes
from tests.domain.samples import name_id

GROUPS = {
    SnapshotTable.KEYS: 3,
    SnapshotTable.MODELS: 9,
    SnapshotTable.PRICES: 10,
    SnapshotTable.REPLICAS: 12,
}
# Rows that did not change between base and current, or that will only change, or be made, later.
EXTRA = st.lists(
    st.tuples(st.sampled_from(SnapshotTable), st.sampled_from([1, 2, 3, 4, 101, 102, 201, 302])).map(
        lambda drawn: (drawn[0], name_id(GROUPS[drawn[0]], drawn[1]))
    )
)


@given(before=STATES, after=STATES, extra=EXTRA, is_engines_put=st.booleans())
def test_delta_leads_exactly_to_the_full_state(
    before: State, after: State, extra: list[tuple[SnapshotTable, UUID]], is_engines_put: bool
) -> None:
    # A delta drops no engine, so a state keeps those it had; that one that drops any is sent whole is tried below.
    after = State(after.keys, after.models, after.prices, before.sites, after.replicas)
    base, current = compile_state(before, 4), compile_state(after, 7)
    changes = number_changes(list_touched(before, after), 6) + number_changes(extra, 9)
    delta = build_delta(current, base.version, changes, is_engines_put=is_engines_put)
    crossed = SnapshotAnswer.model_validate_json(SnapshotAnswer(delta=delta).model_dump_json()).delta
    assert crossed is not None
    result = apply_delta(base, crossed)
    assert result == current
    assert digest_tables(result.tables) == current.digest
