"""Contexts: their ids are made of what they say."""

from dataclasses import fields
from typing import Any

from keisan.domain.usage import PostedRecord, UsageContext
from keisan.storage.usage_table import RECORD_COLUMNS, ContextRows, to_columns, usage_record
from tests.domain.samples import build_posted, build_record, change_record


def make_ids(**changes: Any) -> set[object]:
    return list_ids(build_posted(change_record(build_record(), **changes)))


def list_ids(*posted: PostedRecord) -> set[object]:
    contexts = ContextRows((*posted, *posted))
    assert contexts.ids[: len(posted)] == contexts.ids[len(posted) :]
    ids = set(contexts.ids)
    assert [row["id"] for row in contexts.rows] == sorted(ids, key=str)
    return ids


def test_every_field_makes_another_context() -> None:
    ids = make_ids()
    names = [field.name for field in fields(UsageContext)]
    for name in names:
        ids |= make_ids(**{name: "other"})
    posted = build_posted()
    charges = [posted.charge._replace(chip="other"), posted.charge._replace(currency="other")]
    others = [posted._replace(charge=charge) for charge in charges]
    ids |= list_ids(*others)
    assert len(ids) == 1 + len(names) + len(others)


def test_border_between_two_texts_matters() -> None:
    assert make_ids(site_id="ab", model_digest="c") != make_ids(site_id="a", model_digest="bc")


def test_every_column_has_its_value() -> None:
    assert sorted(RECORD_COLUMNS) == sorted(column.name for column in usage_record.columns)
    columns = to_columns([build_posted(), build_posted()], ["context", "other"])
    assert sorted(columns) == sorted(RECORD_COLUMNS)
    assert {len(values) for values in columns.values()} == {2}
