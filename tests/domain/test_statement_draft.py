"""Drafts of statements: which part comes next, and that what is kept between the parts comes back as it was."""

from dataclasses import replace
from datetime import date

from keisan.domain.merkle import compute_root, hash_leaf
from keisan.domain.statement import RecordsSeal, StatementSpan
from keisan.domain.statement_draft import OpenSeal, read_draft, write_draft
from tests.domain.samples import build_adjustment, build_draft, build_statement_content

LAST_DAY = date(2026, 10, 31)


def test_draft_comes_back_from_its_text() -> None:
    adjusted = build_statement_content(id=None, records_root=None, closed_at=None, adjustments=[build_adjustment()])
    begun = build_draft(last_id=None, after_sequence=None, summed_through=None, seal=OpenSeal(), content=adjusted)
    whole = build_draft(seal=replace(build_draft().seal, amount_nano=10**37, is_whole=True))
    for draft in (build_draft(), begun, whole):
        assert read_draft(write_draft(draft)) == draft


def test_days_follow_each_other_from_the_first_to_the_last() -> None:
    draft, days = build_draft(summed_through=None), []
    while not draft.is_summed:
        day = draft.next_day
        assert day.first_day == day.last_day
        days.append(day.first_day)
        draft = replace(draft, summed_through=day.last_day)
    assert days == [date(2026, 10, number) for number in range(1, 32)]


def test_span_ends_where_the_draft_began() -> None:
    draft = build_draft()
    content = draft.content
    assert draft.span == StatementSpan(content.holder, content.period, draft.after_sequence, content.entry_sequence)


def test_open_seal_closes_over_what_was_read() -> None:
    leaves = [hash_leaf(bytes([number])) for number in range(3)]
    roots = (compute_root(leaves[:2]), leaves[2])
    assert OpenSeal(3, 7, roots).close() == RecordsSeal(3, 7, compute_root(leaves).hex())
    assert OpenSeal().close() == RecordsSeal(0, 0, compute_root([]).hex())
