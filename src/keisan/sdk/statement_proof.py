"""The check of a statement by who holds it, without the platform: its signature, its sums, and its root over the records."""

import json
from collections.abc import Iterable
from uuid import UUID

from keisan.domain.errors import InvalidInput
from keisan.domain.ids import hash_public_key
from keisan.domain.merkle import RootBuilder, hash_leaf
from keisan.domain.statement import HolderKind, StatementContent, sum_totals
from keisan.domain.statement_document import digest_document, read_document
from keisan.kit.signature import is_signed_by
from keisan.wire.statement import SignedStatement, StatementDetail, show_content

OWNERS = {HolderKind.CUSTOMER: "organization_id", HolderKind.PROVIDER: "provider_id"}


def verify_statement(signed: SignedStatement, leaves: Iterable[str]) -> StatementDetail:
    """Return what a signed statement says, if all of it is proved by itself and by its records' leaves, in order of id.

    Proved: the platform that its id names has signed it; its totals are the sums of its lines; the leaves are all of its
    records and no other, each once and its holder's; for a customer, their amounts are the statement's.
    Raises InvalidInput that says what is not so.
    """
    document = signed.document.encode()
    content = read_document(document)
    _check_signature(signed, document, content)
    if sum_totals([line.sum for line in content.lines], content.adjustments) != content.totals:
        raise InvalidInput("the statement's totals are not the sums of its lines", "document")
    _check_leaves(content, leaves)
    return show_content(content, signed.document_sha256)


def _check_signature(signed: SignedStatement, document: bytes, content: StatementContent) -> None:
    public_key = bytes.fromhex(signed.public_key)
    if hash_public_key(public_key) != content.platform_id:
        raise InvalidInput("the key is not that of the platform whose statement this is", "public_key")
    if not is_signed_by(public_key, document, bytes.fromhex(signed.signature)):
        raise InvalidInput("the platform has not signed this document", "signature")
    if digest_document(document) != signed.document_sha256:
        raise InvalidInput("the document has another SHA-256", "document_sha256")


def _check_leaves(content: StatementContent, leaves: Iterable[str]) -> None:
    builder, count, amount_nano, last_id = RootBuilder(), 0, 0, UUID(int=0)
    for leaf in leaves:
        record_id, own_nano = _read_leaf(content, leaf)
        if record_id <= last_id:
            raise InvalidInput(f"record {record_id} is there twice, or out of order", "records")
        builder.add(hash_leaf(leaf.encode()))
        count, amount_nano, last_id = count + 1, amount_nano + own_nano, record_id
    if (count, builder.build().hex()) != (content.totals.record_count, content.records_root):
        text = f"expected the {content.totals.record_count} records under the statement's root, got {count} others"
        raise InvalidInput(text, "records")
    # What a provider is paid for a record is not what its customer pays, which is what a leaf tells.
    if content.holder.kind is HolderKind.CUSTOMER and amount_nano != content.totals.amount_nano:
        raise InvalidInput("the statement's amount is not the sum of its records", "records")


def _read_leaf(content: StatementContent, leaf: str) -> tuple[UUID, int]:
    """Return a record's id and amount; raises InvalidInput for one of somebody else."""
    try:
        members = json.loads(leaf)
        record_id, amount_nano = UUID(members["record_id"]), int(members["amount_nano"])
        owner_id, currency = UUID(members[OWNERS[content.holder.kind]]), members["currency"]
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise InvalidInput("this is not the leaf of a record", "records", str(fault)) from fault
    if (owner_id, currency) != (content.holder.id, content.holder.currency):
        raise InvalidInput(f"record {record_id} is not the holder's", "records")
    return record_id, amount_nano
