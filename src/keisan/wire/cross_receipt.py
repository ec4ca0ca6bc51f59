"""The receipt of a call across platforms on the wire, and how anyone verifies one: two platforms signed the same bytes."""

import json

from pydantic import ValidationError

from keisan.domain.cross_record import BatchHeader, CrossReceipt, CrossUsage
from keisan.domain.errors import InvalidInput, ReceiptInvalid
from keisan.domain.ids import PlatformId, hash_public_key
from keisan.domain.merkle import follow_path, hash_leaf
from keisan.kit.signature import is_signed_by
from keisan.wire.cross_leaf import read_cross_leaf
from keisan.wire.receipt import Hash, ReceiptView, Signature
from keisan.wire.settlement_text import read_batch


class CrossReceiptView(ReceiptView):
    """A receipt whose `header` is that of a batch: its author's `signature`, and its audience's `countersignature` of the same bytes.

    Both are null until the audience has signed.
    """

    countersignature: Signature | None
    counter_key: Hash | None


def show_cross_receipt(receipt: CrossReceipt) -> CrossReceiptView:
    """Return a receipt as it is given away."""
    batch = receipt.batch
    return CrossReceiptView(
        leaf=receipt.leaf.decode(),
        index=receipt.index,
        path=tuple(each.hex() for each in receipt.path),
        header=batch.content.decode(),
        signature=batch.signature.hex(),
        public_key=batch.public_key.hex(),
        countersignature=None if batch.countersignature is None else batch.countersignature.hex(),
        counter_key=None if batch.counter_key is None else batch.counter_key.hex(),
    )


def is_cross_receipt(text: str | bytes) -> bool:
    """Tell whether a file holds the receipt of a call across platforms, good or not."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(members, dict) and "countersignature" in members


def parse_cross_receipt(text: str | bytes) -> CrossReceiptView:
    """Return the receipt that a file holds; raises ReceiptInvalid if it holds none."""
    try:
        return CrossReceiptView.model_validate_json(text)
    except ValidationError as fault:
        raise ReceiptInvalid("this is not a receipt of a call across platforms", "receipt", str(fault)) from fault


def verify_cross_receipt(
    receipt: CrossReceiptView, platform_id: PlatformId | None = None
) -> tuple[CrossUsage, BatchHeader]:
    """Return what a receipt says, after every step of its proof: both signers and signatures, tree, record.

    `platform_id` is one of the two, if it is named. Raises ReceiptInvalid, whose `field` names the step that failed.
    """
    content = receipt.header.encode()
    try:
        header, usage = read_batch(content), read_cross_leaf(receipt.leaf.encode())
    except InvalidInput as fault:
        raise ReceiptInvalid("this is not a record in a batch", fault.field, str(fault)) from fault
    if receipt.countersignature is None or receipt.counter_key is None:
        raise ReceiptInvalid("the other platform has not signed yet", "countersignature")
    if platform_id is not None and platform_id not in (header.author, header.audience):
        raise ReceiptInvalid("this is a receipt between other platforms", "platform_id")
    _check_signature("signature", header.author, receipt.public_key, content, receipt.signature)
    _check_signature("countersignature", header.audience, receipt.counter_key, content, receipt.countersignature)
    path = [bytes.fromhex(each) for each in receipt.path]
    root = follow_path(hash_leaf(receipt.leaf.encode()), receipt.index, header.record_count, path)
    if root is None or root.hex() != header.records_root:
        raise ReceiptInvalid("the record is not among those that were signed", "path")
    if (usage.author, usage.audience) != (header.author, header.audience):
        raise ReceiptInvalid("the record is between other platforms", "leaf")
    return usage, header


def _check_signature(field: str, signer: PlatformId, public_key: str, content: bytes, signature: str) -> None:
    key = bytes.fromhex(public_key)
    if hash_public_key(key) != signer:
        raise ReceiptInvalid("the key is not the platform's", field)
    if not is_signed_by(key, content, bytes.fromhex(signature)):
        raise ReceiptInvalid("the platform did not sign this header", field)
