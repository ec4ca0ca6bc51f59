"""Disputes on the wire."""

from dataclasses import replace

from keisan.domain.dispute import DisputeState
from keisan.wire.dispute import DisputeVerdict, show_dispute
from tests.domain.samples import build_dispute, name_record_id


def test_dispute_is_shown_whole() -> None:
    dispute = replace(build_dispute(), record_ids=(name_record_id(1),), amount_nano=7, state=DisputeState.UPHELD)
    shown = show_dispute(dispute)
    assert (shown.holder_kind, shown.holder_id, shown.currency) == ("customer", dispute.holder.id, "CNY")
    assert (shown.record_ids, shown.amount_nano, shown.state) == (dispute.record_ids, 7, DisputeState.UPHELD)
    assert shown.model_dump(mode="json")["amount_nano"] == "7"


def test_verdicts_are_the_states_that_end_a_dispute() -> None:
    assert {str(verdict) for verdict in DisputeVerdict} == {str(state) for state in DisputeState} - {"open"}
