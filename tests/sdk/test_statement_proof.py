"""A statement checked by its holder alone: what is as it was signed passes, and any change of it does not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.merkle import compute_root, hash_leaf
from keisan.domain.statement import HolderKind, StatementContent, StatementHolder, sum_totals
from keisan.domain.statement_document import digest_document, write_document
from keisan.kit.signature import KeySigner
from keisan.ledger.statement import name_leaves
from keisan.sdk import SignedStatement, verify_statement
from tests.domain.samples import (
    ORGANIZATION_ID,
    PROVIDER_ID,
    build_posted,
    build_record,
    build_statement_content,
    build_statement_line,
    build_statement_sum,
    name_id,
    name_record_id,
)
from tests.factories import PLATFORM_ID, PUBLIC_KEY, SIGNER

COST_NANO = 30_500


def build_leaves(count: int, **changes: object) -> list[str]:
    posted = [build_posted(build_record(id=name_record_id(number), **changes)) for number in range(1, count + 1)]
    return [leaf for _, leaf in name_leaves(posted)]


def build_content(leaves: list[str], kind: HolderKind = HolderKind.CUSTOMER, **changes: object) -> StatementContent:
    holder = StatementHolder(kind, ORGANIZATION_ID if kind is HolderKind.CUSTOMER else PROVIDER_ID, "CNY")
    own = build_statement_sum(record_count=len(leaves), amount_nano=COST_NANO * len(leaves))
    content = build_statement_content(
        platform_id=PLATFORM_ID,
        holder=holder,
        lines=[build_statement_line(sum=own)],
        totals=sum_totals([own], []),
        records_root=compute_root(hash_leaf(leaf.encode()) for leaf in leaves).hex(),
    )
    return replace(content, **changes)  # type: ignore[arg-type]  # a test names the fields it cares for


def sign(content: StatementContent, signer: KeySigner = SIGNER) -> SignedStatement:
    document = write_document(content)
    return SignedStatement(
        document=document.decode(),
        document_sha256=digest_document(document),
        signature=signer.sign(document).hex(),
        public_key=signer.public_key.hex(),
    )


@pytest.mark.parametrize("kind", HolderKind)
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_good_statement_passes_and_is_shown(kind: HolderKind, count: int) -> None:
    leaves = build_leaves(count)
    detail = verify_statement(sign(build_content(leaves, kind)), leaves)
    assert (detail.record_count, detail.amount_nano, detail.holder_kind) == (count, count * COST_NANO, kind)


LEAVES = build_leaves(3)
CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "one is missing": lambda leaves: leaves[:-1],
    "one is there twice": lambda leaves: [leaves[0], *leaves],
    "two are swapped": lambda leaves: [leaves[1], leaves[0], leaves[2]],
    "one is more": lambda _: build_leaves(4),
    "one is changed": lambda leaves: [leaves[0].replace("30500", "30501"), *leaves[1:]],
    "one is another's": lambda _: build_leaves(3, organization_id=name_id(1, 9)),
    "one is no leaf": lambda leaves: ["{}", *leaves],
    "one is no JSON": lambda leaves: [*leaves, ""],
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_records_are_refused(change: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        verify_statement(sign(build_content(LEAVES)), CHANGES[change](LEAVES))
    assert refusal.value.field == "records"


def test_sums_that_are_none_are_refused_though_they_are_signed() -> None:
    content = build_content(LEAVES)
    line = build_statement_line(sum=build_statement_sum(record_count=3, amount_nano=3 * COST_NANO - 1))
    with pytest.raises(InvalidInput, match="not the sums of its lines"):
        verify_statement(sign(replace(content, lines=[line])), LEAVES)
    smaller = replace(content, lines=[line], totals=sum_totals([line.sum], []))
    with pytest.raises(InvalidInput, match="not the sum of its records"):
        verify_statement(sign(smaller), LEAVES)


def test_statement_of_another_currency_is_refused() -> None:
    content = build_content(LEAVES)
    with pytest.raises(InvalidInput, match="not the holder's"):
        verify_statement(sign(replace(content, holder=replace(content.holder, currency="USD"))), LEAVES)


@given(st.data())
def test_no_byte_of_the_document_can_be_changed(data: st.DataObject) -> None:
    signed = sign(build_content(LEAVES))
    place = data.draw(st.integers(min_value=0, max_value=len(signed.document) - 1))
    other = data.draw(st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != signed.document[place]))
    changed = signed.document[:place] + other + signed.document[place + 1 :]
    with pytest.raises(InvalidInput):
        verify_statement(signed.model_copy(update={"document": changed}), LEAVES)


def test_key_of_another_proves_nothing() -> None:
    stranger = KeySigner(Ed25519PrivateKey.from_private_bytes(b"\x08" * 32))
    with pytest.raises(InvalidInput) as refusal:
        verify_statement(sign(build_content(LEAVES), stranger), LEAVES)
    assert refusal.value.field == "public_key"
    forged = sign(build_content(LEAVES), stranger).model_copy(update={"public_key": PUBLIC_KEY.hex()})
    with pytest.raises(InvalidInput) as refusal:
        verify_statement(forged, LEAVES)
    assert refusal.value.field == "signature"


def test_wrong_digest_is_refused() -> None:
    signed = sign(build_content(LEAVES)).model_copy(update={"document_sha256": "0" * 64})
    with pytest.raises(InvalidInput) as refusal:
        verify_statement(signed, LEAVES)
    assert refusal.value.field == "document_sha256"
