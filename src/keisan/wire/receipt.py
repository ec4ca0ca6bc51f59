"""Receipts on the wire, and how anyone verifies one without asking anybody."""

import json
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from keisan.domain.entry import EntrySeal, read_header
from keisan.domain.errors import InvalidInput, ReceiptInvalid
from keisan.domain.ids import PlatformId, hash_public_key
from keisan.domain.merkle import follow_path, hash_leaf
from keisan.domain.receipt import Receipt
from keisan.kit.signature import is_signed_by
from keisan.wire.base import Count, WireView
from keisan.wire.leaf import LEAF_SCHEMA

# A tree of more leaves than there are records in the world has no longer paths.
PATH_HASHES_MAX = 64

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class ReceiptView(WireView):
    """The proof of one usage record. `leaf` and `header` are texts of JSON: their exact bytes are what was signed.

    `leaf` is the record, number `index` (from 0) of the records of one journal entry; `path` are the hashes beside the
    way to the entry's Merkle root, lowest first; `header` names that root, and `signature` is of the header by the key
    whose SHA-256 is the platform's id. Hashes, signature and key are hex.
    """

    leaf: str
    index: Count
    path: Annotated[tuple[Hash, ...], Field(max_length=PATH_HASHES_MAX)]
    header: str
    signature: Signature
    public_key: Hash


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """What a good receipt says: the record as JSON tells it, and the entry it was posted in."""

    record: dict[str, object]
    seal: EntrySeal


def show_receipt(receipt: Receipt) -> ReceiptView:
    """Return a receipt as it is given away."""
    return ReceiptView(
        leaf=receipt.leaf.decode(),
        index=receipt.index,
        path=tuple(each.hex() for each in receipt.path),
        header=receipt.header.decode(),
        signature=receipt.signature.hex(),
        public_key=receipt.public_key.hex(),
    )


def parse_receipt(text: str | bytes) -> ReceiptView:
    """Return the receipt that a file holds; raises ReceiptInvalid if it holds none."""
    try:
        return ReceiptView.model_validate_json(text)
    except ValidationError as fault:
        raise ReceiptInvalid("this is not a receipt", "receipt", str(fault)) from fault


def verify_receipt(receipt: ReceiptView, platform_id: PlatformId | None = None) -> VerifiedReceipt:
    """Return what a receipt says, after every step of its proof: signer, signature, tree, record.

    Without `platform_id` any platform's receipt is good: compare the one that it names with the one you deal with.
    Raises ReceiptInvalid, whose `field` names the step that failed.
    """
    header, public_key = receipt.header.encode(), bytes.fromhex(receipt.public_key)
    try:
        seal = read_header(header)
    except InvalidInput as fault:
        raise ReceiptInvalid("the header is not that of an entry", "header") from fault
    if hash_public_key(public_key) != seal.platform_id:
        raise ReceiptInvalid("the key is not the platform's", "public_key")
    if platform_id is not None and seal.platform_id != platform_id:
        raise ReceiptInvalid(f"this is a receipt of the platform {seal.platform_id}", "platform_id")
    if not is_signed_by(public_key, header, bytes.fromhex(receipt.signature)):
        raise ReceiptInvalid("the platform did not sign this header", "signature")
    path = [bytes.fromhex(each) for each in receipt.path]
    root = follow_path(hash_leaf(receipt.leaf.encode()), receipt.index, seal.record_count, path)
    if root is None or root.hex() != seal.records_root:
        raise ReceiptInvalid("the record is not among those that were signed", "path")
    return VerifiedReceipt(_read_leaf(receipt.leaf, seal), seal)


def _read_leaf(leaf: str, seal: EntrySeal) -> dict[str, object]:
    """Return the record; what is signed but is no record of this platform is none of this schema."""
    try:
        record = json.loads(leaf)
    except (ValueError, RecursionError) as fault:
        raise ReceiptInvalid("the record is not JSON", "leaf", str(fault)) from fault
    if not isinstance(record, dict) or record.get("schema") != LEAF_SCHEMA:
        raise ReceiptInvalid("the record is of another schema", "leaf")
    if record.get("platform_id") != seal.platform_id:
        raise ReceiptInvalid("the record is another platform's", "leaf")
    return record
