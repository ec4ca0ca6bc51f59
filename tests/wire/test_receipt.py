"""Receipts: a good one tells what it proves, here and in the script of the documents; any change breaks a named step."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.entry import FIRST_ENTRY_HASH, EntryKind, EntrySeal, write_header
from keisan.domain.errors import ReceiptInvalid
from keisan.domain.ids import PlatformId, hash_public_key
from keisan.domain.merkle import build_path, compute_root
from keisan.domain.receipt import Receipt
from keisan.kit.signature import KeySigner
from keisan.ledger.receipt import hash_leaves, order_records
from keisan.wire.leaf import LeafWriter
from keisan.wire.receipt import ReceiptView, parse_receipt, show_receipt, verify_receipt
from tests.domain.samples import ENTRY_ID, NOW, build_posted, build_record, name_record_id

SCRIPT = Path(__file__).parents[2] / "docs" / "reference" / "verify_receipt.py"
SIGNER = KeySigner(Ed25519PrivateKey.from_private_bytes(b"\x05" * 32))
PLATFORM_ID = hash_public_key(SIGNER.public_key)


def make_receipt(
    count: int = 5, index: int = 3, *, leaf: bytes | None = None, signer: KeySigner = SIGNER
) -> ReceiptView:
    """Return the receipt of one of `count` records of an entry; `leaf` stands in its place if it is given."""
    records = order_records(
        build_posted(build_record(id=name_record_id(number), platform_id=PLATFORM_ID)) for number in range(count)
    )
    hashes = hash_leaves(records)
    seal = EntrySeal(
        platform_id=PLATFORM_ID,
        sequence=1,
        entry_id=ENTRY_ID,
        kind=EntryKind.USAGE,
        noun_id=None,
        created_at_ms=int(NOW.timestamp()) * 1000,
        record_count=count,
        records_root=compute_root(hashes).hex(),
        postings_digest="00" * 32,
        previous_hash=FIRST_ENTRY_HASH,
    )
    header = write_header(seal)
    written = leaf or LeafWriter().write(records[index])
    path = build_path(hashes, index)
    return show_receipt(Receipt(written, index, path, header, signer.sign(header), signer.public_key))


def run_script(receipt: ReceiptView, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    file = folder / "receipt.json"
    file.write_text(receipt.model_dump_json())
    command = [sys.executable, str(SCRIPT), str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@given(st.integers(1, 20).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1))))
def test_receipt_of_every_place_is_good(place: tuple[int, int]) -> None:
    verified = verify_receipt(parse_receipt(make_receipt(*place).model_dump_json()), PLATFORM_ID)
    assert verified.record["record_id"] == str(name_record_id(place[1]))
    assert verified.record["amount_nano"] == "30500"
    assert verified.seal.record_count == place[0]


@pytest.mark.parametrize("place", [(1, 0), (2, 1), (5, 4), (6, 2), (7, 6)], ids=str)
def test_script_of_the_documents_agrees(tmp_path: Path, place: tuple[int, int]) -> None:
    receipt = make_receipt(*place)
    ran = run_script(receipt, tmp_path, PLATFORM_ID)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert json.loads(ran.stdout) == verify_receipt(receipt).record


def forge(receipt: ReceiptView, **changes: object) -> ReceiptView:
    return ReceiptView.model_validate(receipt.model_dump() | changes)


GOOD = make_receipt()
OTHER = KeySigner(Ed25519PrivateKey.from_private_bytes(b"\x06" * 32))
FORGERIES: dict[str, tuple[str, ReceiptView]] = {
    "amount": ("path", forge(GOOD, leaf=GOOD.leaf.replace('"30500"', '"30499"'))),
    "index": ("path", forge(GOOD, index=2)),
    "far index": ("path", forge(GOOD, index=2**62)),
    "short path": ("path", forge(GOOD, path=GOOD.path[:-1])),
    "long path": ("path", forge(GOOD, path=(*GOOD.path, "00" * 32))),
    "path": ("path", forge(GOOD, path=("00" * 32, *GOOD.path[1:]))),
    "signature": ("signature", forge(GOOD, signature="00" * 64)),
    "header": ("signature", forge(GOOD, header=GOOD.header.replace('"sequence":1', '"sequence":2'))),
    "signer": ("signature", forge(GOOD, signature=OTHER.sign(GOOD.header.encode()).hex())),
    "key": ("public_key", make_receipt(signer=OTHER)),
    "spaces": ("header", forge(GOOD, header=GOOD.header + " ")),
}


@pytest.mark.parametrize(("field", "receipt"), FORGERIES.values(), ids=FORGERIES)
def test_forgery_fails_at_its_step(tmp_path: Path, field: str, receipt: ReceiptView) -> None:
    with pytest.raises(ReceiptInvalid) as refused:
        verify_receipt(receipt)
    assert refused.value.field == field
    assert run_script(receipt, tmp_path).returncode != 0


def test_other_platform_is_refused_where_one_is_expected(tmp_path: Path) -> None:
    stranger = PlatformId("12" * 32)
    with pytest.raises(ReceiptInvalid, match=PLATFORM_ID):
        verify_receipt(GOOD, stranger)
    ran = run_script(GOOD, tmp_path, stranger)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "another platform" in ran.stderr


@pytest.mark.parametrize(
    "leaf", [b"", b"[]", b"[" * 100_000, b'{"schema":"keisan.receipt.2"}', b'{"schema":"keisan.receipt.1"}'], ids=repr
)
def test_what_is_signed_and_is_no_record_of_this_platform_is_refused(
    leaf: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "keisan.wire.receipt.follow_path", lambda *_: bytes.fromhex(json.loads(GOOD.header)["records_root"])
    )
    with pytest.raises(ReceiptInvalid) as refused:
        verify_receipt(forge(GOOD, leaf=leaf.decode()))
    assert refused.value.field == "leaf"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\x00", '{"leaf": 1}'])
def test_other_files_are_no_receipts(text: str) -> None:
    with pytest.raises(ReceiptInvalid):
        parse_receipt(text)


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)),
    st.sampled_from(list(GOOD.model_dump())),
)
def test_no_value_of_any_field_does_worse_than_being_refused(value: object, name: str) -> None:
    try:
        verify_receipt(parse_receipt(json.dumps(GOOD.model_dump() | {name: value})))
    except ReceiptInvalid:
        return
    assert name not in GOOD.model_dump() or value == GOOD.model_dump()[name]
