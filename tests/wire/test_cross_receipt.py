"""Receipts of calls across platforms: good only with both signatures of the same bytes, by this program and by a script without it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keisan.domain.cross_record import BatchHeader, CrossBatch, CrossReceipt, LeafMark
from keisan.domain.errors import ReceiptInvalid
from keisan.domain.ids import PlatformId, hash_public_key
from keisan.domain.merkle import build_path, hash_leaf
from keisan.federation.rule_settlement import compute_leaves_root
from keisan.kit.signature import KeySigner
from keisan.wire.cross_leaf import write_cross_leaf
from keisan.wire.cross_receipt import (
    CrossReceiptView,
    is_cross_receipt,
    parse_cross_receipt,
    show_cross_receipt,
    verify_cross_receipt,
)
from keisan.wire.settlement_text import write_batch
from tests.domain.samples import name_id, name_record_id
from tests.federation.cross_samples import PERIOD, create_usage

SCRIPT = Path(__file__).parents[2] / "docs" / "reference" / "verify_receipt.py"
SERVING_SIGNER, HOME_SIGNER, OTHER_SIGNER = (
    KeySigner(Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))) for number in (6, 7, 8)
)
SERVING, HOME = (hash_public_key(signer.public_key) for signer in (SERVING_SIGNER, HOME_SIGNER))


def make_receipt(count: int = 5, index: int = 3) -> CrossReceiptView:
    """Return the receipt of one of a batch's records."""
    usages = [create_usage(record_id=name_record_id(each), home_id=HOME, serving_id=SERVING) for each in range(count)]
    # Of a newer platform: the bytes are kept whatever they hold.
    leaves = [write_cross_leaf(usage)[:-1] + b',"colour":"green"}' for usage in usages]
    marks = [LeafMark(usage.record_id, hash_leaf(leaf)) for usage, leaf in zip(usages, leaves, strict=True)]
    header = BatchHeader(name_id(1), SERVING, HOME, PERIOD, count, compute_leaves_root(marks), 5)
    content = write_batch(header)
    batch = CrossBatch(
        header,
        content,
        SERVING_SIGNER.sign(content),
        SERVING_SIGNER.public_key,
        HOME_SIGNER.sign(content),
        HOME_SIGNER.public_key,
    )
    path = build_path([mark.leaf_hash for mark in marks], index)
    return show_cross_receipt(CrossReceipt(leaves[index], index, path, batch))


def run_script(receipt: CrossReceiptView, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    file = folder / "receipt.json"
    file.write_text(receipt.model_dump_json())
    command = [sys.executable, str(SCRIPT), str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("count", "index"), [(1, 0), (2, 1), (5, 3), (7, 6)])
def test_a_receipt_of_every_place_is_good_to_both(count: int, index: int, tmp_path: Path) -> None:
    receipt = make_receipt(count, index)
    for platform_id in (SERVING, HOME):
        usage, header = verify_cross_receipt(parse_cross_receipt(receipt.model_dump_json()), platform_id)
        assert (usage.record_id, header.record_count) == (name_record_id(index), count)
    ran = run_script(receipt, tmp_path, HOME)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout)["record_id"] == str(name_record_id(index))


GOOD = make_receipt()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"leaf": GOOD.leaf.replace('"amount_nano":"110"', '"amount_nano":"111"')}, "path"),
        ({"index": 2}, "path"),
        ({"header": GOOD.header.replace('"record_count":5', '"record_count":6')}, "signature"),
        ({"signature": "0" * 128}, "signature"),
        ({"public_key": OTHER_SIGNER.public_key.hex()}, "signature"),
        ({"countersignature": "0" * 128}, "countersignature"),
        ({"countersignature": None}, "countersignature"),
        ({"counter_key": OTHER_SIGNER.public_key.hex()}, "countersignature"),
        ({"counter_key": GOOD.public_key, "countersignature": GOOD.signature}, "countersignature"),
        ({"header": "{}"}, "content"),
        ({"leaf": "{}"}, "leaf"),
    ],
)
def test_what_was_changed_is_refused_by_both(changes: dict[str, Any], field: str, tmp_path: Path) -> None:
    receipt = GOOD.model_copy(update=changes)
    assert receipt != GOOD
    with pytest.raises(ReceiptInvalid) as refusal:
        verify_cross_receipt(receipt)
    assert refusal.value.field == field
    assert run_script(receipt, tmp_path).returncode != 0


def test_a_receipt_of_others_is_refused(tmp_path: Path) -> None:
    stranger = PlatformId("ee" * 32)
    with pytest.raises(ReceiptInvalid):
        verify_cross_receipt(GOOD, stranger)
    assert run_script(GOOD, tmp_path, stranger).returncode != 0


def test_a_record_between_other_platforms_is_refused() -> None:
    usage = create_usage(home_id=HOME)
    leaf = write_cross_leaf(usage)
    mark = LeafMark(usage.record_id, hash_leaf(leaf))
    content = write_batch(BatchHeader(name_id(1), SERVING, HOME, PERIOD, 1, compute_leaves_root([mark]), 5))
    changes: dict[str, Any] = {
        "leaf": leaf.decode(),
        "index": 0,
        "path": (),
        "header": content.decode(),
        "signature": SERVING_SIGNER.sign(content).hex(),
        "countersignature": HOME_SIGNER.sign(content).hex(),
    }
    with pytest.raises(ReceiptInvalid, match="other platforms"):
        verify_cross_receipt(GOOD.model_copy(update=changes))


def test_a_file_is_told_apart_by_what_it_holds() -> None:
    assert is_cross_receipt(GOOD.model_dump_json())
    assert not is_cross_receipt("{}")
    assert not is_cross_receipt("[]")
    assert not is_cross_receipt("{")
    with pytest.raises(ReceiptInvalid):
        parse_cross_receipt("{}")
