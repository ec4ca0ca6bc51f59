"""Statements as CSV: read back exactly, summing to what the statement says, and no cell is a formula."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.api.statement_csv import COLUMNS, FORMULA_BEGINNINGS, write_csv
from keisan.domain.price import COUNT_NAMES, TokenClass
from keisan.domain.statement import StatementContent
from tests.domain.samples import (
    SITE_ID,
    build_adjustment,
    build_statement_content,
    build_statement_line,
    build_statement_sum,
)

# What RFC 4180 gives quotes for, what spreadsheets compute, and anything else.
TEXTS = st.text(st.sampled_from("=+-@\t\r\n\",;'＝ab計")) | st.text(st.characters(exclude_categories=["Cs"]))
AMOUNTS = st.integers(min_value=0, max_value=10**38)


def read_csv(content: StatementContent) -> list[dict[str, str]]:
    text = write_csv(content).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_line_says_what_the_statement_says() -> None:
    [row] = read_csv(build_statement_content())
    assert {name: text for name, text in row.items() if text} == {
        "period": "2026-10",
        "line": "usage",
        "project": "first",
        "key": "first",
        "model": "smollm2-135m-instruct",
        "price_version": "1",
        "calls": "2",
        "input_tokens": "74",
        "input_cached_tokens": "0",
        "input_cache_write_tokens": "0",
        "output_tokens": "16",
        "reasoning_tokens": "0",
        "images": "0",
        "audio_seconds": "0",
        "input_price": "0.500000000",
        "input_cached_price": "0.050000000",
        "output_price": "1.500000000",
        "amount": "0.000061000",
        "tax": "0.000001000",
        "currency": "CNY",
    }


def test_file_is_as_rfc_4180_has_it() -> None:
    written = write_csv(build_statement_content(lines=[build_statement_line(project_name='a "b", c')])).decode()
    head, line, end = written.split("\r\n")
    assert head == ",".join(COLUMNS)
    assert line.startswith('2026-10,usage,"a ""b"", c",first,,,')
    assert end == ""


@given(st.lists(st.tuples(TEXTS, AMOUNTS)), st.lists(st.integers(min_value=1, max_value=10**38)))
def test_cells_are_read_back_and_sum_exactly(lines: list[tuple[str, int]], adjusted: list[int]) -> None:
    content = build_statement_content(
        lines=[
            build_statement_line(project_name=name, key_name=name, sum=build_statement_sum(amount_nano=amount_nano))
            for name, amount_nano in lines
        ],
        adjustments=[build_adjustment(amount_nano=amount_nano) for amount_nano in adjusted],
    )
    rows = read_csv(content)
    assert [row["line"] for row in rows] == ["usage"] * len(lines) + ["adjustment"] * len(adjusted)
    nano = [int(row["amount"].replace(".", "")) for row in rows]
    assert nano == [amount_nano for _, amount_nano in lines] + adjusted
    assert all(Decimal(row["amount"]).as_tuple().exponent == -9 for row in rows)
    for row, (name, _) in zip(rows, lines, strict=False):
        assert row["project"].removeprefix("'") == name.removeprefix("'")
        assert row["project"] in (name, f"'{name}")


@given(TEXTS)
def test_no_cell_begins_a_formula(text: str) -> None:
    provider = build_statement_sum(
        project_id=None, key_id=None, price_id=None, site_id=SITE_ID, chip=text, is_late=True
    )
    line = build_statement_line(sum=provider, project_name=text, key_name=text, site_name=text, model_name=text)
    for row in read_csv(build_statement_content(lines=[line])):
        assert row["line"] == "late"
        assert not [cell for cell in row.values() if cell.startswith(FORMULA_BEGINNINGS)]


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@"])
def test_what_begins_like_a_formula_is_text(beginning: str) -> None:
    line = build_statement_line(project_name=f'{beginning}HYPERLINK("http://a.test")')
    [row] = read_csv(build_statement_content(lines=[line]))
    assert row["project"] == f'\'{beginning}HYPERLINK("http://a.test")'


def test_every_class_has_its_columns() -> None:
    for token_class in TokenClass:
        assert {COUNT_NAMES[token_class], f"{token_class}_price"} <= set(COLUMNS)
