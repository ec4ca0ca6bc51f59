"""Statements on the wire: a head and a whole one say the same, amounts are texts."""

import json
from dataclasses import replace

from keisan.domain.statement import HolderKind, StatementHolder, StatementState
from keisan.domain.statement_document import read_document
from keisan.wire.statement import StatementView, show_content, show_statement
from tests.domain.samples import ORGANIZATION_ID, build_adjustment, build_statement_content
from tests.factories import create_statement


def test_head_and_whole_say_the_same() -> None:
    statement = create_statement(
        StatementHolder(HolderKind.CUSTOMER, ORGANIZATION_ID, "CNY"), adjustments=[build_adjustment()]
    )
    head = show_statement(statement)
    whole = show_content(read_document(statement.document), statement.document_sha256)
    assert StatementView.model_validate(whole.model_dump()) == head
    assert [line.amount_nano for line in whole.adjustments] == [500]


def test_amounts_are_texts_and_what_is_open_says_so() -> None:
    content = replace(build_statement_content(), id=None, closed_at=None, records_root=None)
    told = json.loads(show_content(content, None).model_dump_json())
    assert (told["amount_nano"], told["lines"][0]["amount_nano"], told["closing_balance_nano"]) == (
        "61000",
        "61000",
        "-61000",
    )
    assert told["lines"][0]["nano_per_million"]["output"] == "1500000000"
    assert (told["state"], told["closed_at"]) == (StatementState.OPEN, None)
