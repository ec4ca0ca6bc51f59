"""A statement's document: one way to write it, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.domain.errors import InvalidInput
from keisan.domain.price import TokenClass
from keisan.domain.statement import StatementContent
from keisan.domain.statement_document import digest_document, read_document, write_document
from tests.domain.samples import (
    NOW,
    SITE_ID,
    build_adjustment,
    build_statement_content,
    build_statement_line,
    build_statement_sum,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    TEXTS,
    TEXTS,
    st.integers(min_value=0, max_value=10**38),
    st.dictionaries(st.sampled_from(TokenClass), st.integers(min_value=0)),
)
def test_document_is_read_as_it_was_written(
    name: str, resolution: str, amount_nano: int, quantities: dict[TokenClass, int]
) -> None:
    late = build_statement_sum(
        project_id=None, key_id=None, price_id=None, site_id=SITE_ID, chip=name, is_late=True, quantities=quantities
    )
    lines = [
        build_statement_line(project_name=name),
        build_statement_line(sum=late, nano_per_million=None, price_version=None),
    ]
    content = build_statement_content(
        holder_name=name, lines=lines, adjustments=[build_adjustment(amount_nano=amount_nano, resolution=resolution)]
    )
    document = write_document(content)
    assert read_document(document) == content
    assert document.isascii()
    assert b"\n" not in document


def test_open_statement_has_no_id_and_no_root() -> None:
    content = build_statement_content(id=None, records_root=None, closed_at=None)
    assert read_document(write_document(content)) == content


def test_members_are_in_order_and_amounts_are_texts() -> None:
    document = write_document(build_statement_content())
    members = json.loads(document)
    assert list(members) == sorted(members)
    assert json.dumps(members, sort_keys=True, separators=(",", ":")).encode() == document
    assert (members["amount_nano"], members["closed_at"]) == ("61000", NOW.isoformat())
    assert members["lines"][0]["nano_per_million"]["input"] == "500000000"


def change(content: StatementContent, **changes: object) -> bytes:
    members = json.loads(write_document(content)) | changes
    return json.dumps(members, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        write_document(build_statement_content()) + b" ",
        write_document(build_statement_content()).replace(b":", b": ", 1),
        change(build_statement_content(), schema="keisan.statement.2"),
        change(build_statement_content(), extra=1),
        change(build_statement_content(), amount_nano=61_000),
        change(build_statement_content(), holder_kind="friend"),
        change(build_statement_content(), lines=[{}]),
        change(build_statement_content(), adjustments=None),
    ],
)
def test_anything_else_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_document(document)


def test_digest_is_of_the_bytes() -> None:
    assert digest_document(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
