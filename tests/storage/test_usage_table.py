"""Contexts: their ids are made of what they say."""

from dataclasses import fields, replace
from typing import Any

from keisan.domain.usage import UsageContext
from keisan.storage.usage_table import RECORD_COLUMNS, list_context_rows, to_row, usage_record
from tests.domain.samples import build_posted, build_record, change_record


def make_ids(**changes: Any) -> set[object]:
    posted = build_posted(change_record(build_record(), **changes))
    return {row["id"] for row in list_context_rows([posted, posted]).values()}


def test_every_field_makes_another_context() -> None:
    ids = make_ids()
    names = [field.name for field in fields(UsageContext)]
    for name in names:
        ids |= make_ids(**{name: "other"})
    posted = build_posted()
    charges = [replace(posted.charge, chip="other"), replace(posted.charge, currency="other")]
    others = [replace(posted, charge=charge) for charge in charges]
    ids |= {row["id"] for row in list_context_rows(others).values()}
    assert len(ids) == 1 + len(names) + len(others)


def test_border_between_two_texts_matters() -> None:
    assert make_ids(site_id="ab", model_digest="c") != make_ids(site_id="a", model_digest="bc")


def test_every_column_has_its_value() -> None:
    assert sorted(RECORD_COLUMNS) == sorted(column.name for column in usage_record.columns)
    assert len(to_row(build_posted(), "context")) == len(RECORD_COLUMNS)
