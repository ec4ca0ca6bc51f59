"""Leaves of receipts: JSON of fixed bytes that holds all that was billed."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.merkle import hash_leaf
from keisan.domain.price import TokenClass
from keisan.domain.usage import Charge, PostedRecord, UsageRecord
from keisan.wire.leaf import LeafWriter
from tests.domain.samples import NOW, build_charge, build_record, name_id, name_record_id

LEAF_SHA256 = "01d84a77834eebd3e098314c9a5345f180ec69026304a7800e5c9236ffa50294"
ADMITTED_AT_MS = int(NOW.timestamp()) * 1000


def write(record: UsageRecord, charge: Charge) -> str:
    leaf = LeafWriter().write(PostedRecord(record, charge))
    assert LeafWriter().hash(PostedRecord(record, charge)) == hash_leaf(leaf)
    return leaf.decode()


def test_bytes_never_change() -> None:
    """Signed receipts of earlier releases are verified against these bytes: a change is another schema."""
    leaf = write(build_record(), build_charge())
    assert hashlib.sha256(leaf.encode()).hexdigest() == LEAF_SHA256, leaf


def test_leaf_tells_what_was_billed() -> None:
    record, charge = build_record(ticket_id=name_id(14)), build_charge(chip="H20", currency="JPY")
    told = json.loads(write(record, charge))
    shared = ("platform_id", "model_digest")
    named = ("gateway_id", "organization_id", "project_id", "key_id", "model_id", "price_id", "provider_id", "site_id")
    assert all(told[name] == getattr(record.context, name) for name in shared)
    assert all(told[name] == str(getattr(record.context, name)) for name in named)
    assert (told["record_id"], told["chip"], told["currency"]) == (str(record.id), "H20", "JPY")
    assert told["quantities"] == {"input": 37, "input_cached": 0, "output": 8}
    assert (told["amount_nano"], told["admitted_at_ms"]) == (str(record.amount_nano), ADMITTED_AT_MS)
    assert (told["ticket_id"], told["usage_source"]) == (str(record.ticket_id), "engine")
    assert told["content_digest"] == record.content_digest.hex()


CHANGES: list[dict[str, Any]] = [
    {"id": name_record_id(2)},
    {"is_stream": False},
    {"http_status": 201},
    {"quantities": {TokenClass.INPUT: 37, TokenClass.OUTPUT: 8}},
    {"quantities": {}},
    {"amount_nano": 1},
    {"ticket_id": name_id(14)},
    {"content_digest": bytes(32)},
    {"site_id": name_id(6, 2)},
    {"organization_id": name_id(1, 2)},
    {"provider_id": name_id(5, 2)},
    {"price_id": name_id(10, 2)},
    {"model_digest": "other"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_another_record_is_another_leaf(changes: dict[str, Any]) -> None:
    assert write(build_record(**changes), build_charge()) != write(build_record(), build_charge())


@given(st.text(), st.text())
def test_foreign_texts_cannot_forge_members(model_digest: str, chip: str) -> None:
    record, charge = build_record(model_digest=model_digest), build_charge(chip=chip)
    leaf = write(record, charge)
    assert leaf.isascii()
    told = json.loads(leaf, object_pairs_hook=list)
    names = [name for name, _ in told]
    assert len(names) == len(set(names))
    assert dict(told)["model_digest"] == model_digest
    assert dict(told)["chip"] == chip
