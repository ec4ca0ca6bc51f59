"""Statements as HTML: well-formed, of one file, escaped, and saying what the JSON says."""

import re
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keisan.api.statement_html import write_html
from keisan.domain.statement import HolderKind, StatementContent, StatementHolder
from keisan.kit.units import format_nano
from keisan.wire.statement import show_content
from tests.domain.samples import (
    PROVIDER_ID,
    SITE_ID,
    build_adjustment,
    build_statement_content,
    build_statement_line,
    build_statement_sum,
)

TEXTS = st.text(st.sampled_from("<>&\"'{}%/= ab計")) | st.text(
    st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0xFFFD)
)
SHA256 = "0b" * 32
# What would fetch something, run something, or lead somewhere.
ACTIVE_TAGS = {"script", "link", "img", "iframe", "object", "embed", "form", "a", "base", "video", "audio", "svg"}


def read_page(content: StatementContent, sha256: str | None = SHA256) -> Element:
    """Parse a page as XML, which takes nothing that is not well-formed."""
    return fromstring(write_html(content, sha256))


def read_texts(page: Element) -> dict[str, str]:
    return {each.attrib["id"]: "".join(each.itertext()) for each in page.iter() if "id" in each.attrib}


def read_rows(page: Element, table_id: str) -> list[list[str]]:
    table = next(each for each in page.iter("table") if each.attrib.get("id") == table_id)
    body = table.find("tbody")
    assert body is not None
    return [["".join(cell.itertext()) for cell in row] for row in body]


def build_provider_content(**changes: object) -> StatementContent:
    own = build_statement_sum(
        project_id=None, key_id=None, price_id=None, site_id=SITE_ID, chip="cpu-x86-64", is_late=True, tax_nano=0
    )
    line = build_statement_line(sum=own, site_name="tokyo-1", nano_per_million=None, price_version=None)
    holder = StatementHolder(HolderKind.PROVIDER, PROVIDER_ID, "CNY")
    return build_statement_content(**({"holder": holder, "lines": [line]} | changes))


def test_page_says_what_the_json_says() -> None:
    content = build_statement_content(adjustments=[build_adjustment()])
    shown, page = show_content(content, SHA256), read_page(content)
    texts = read_texts(page)
    assert texts["holder"] == shown.holder_name
    assert texts["days"] == f"{shown.first_day} to {shown.last_day}"
    assert texts["calls"] == str(shown.record_count)
    money = {
        "amount": shown.amount_nano,
        "tax": shown.tax_nano,
        "adjustment": shown.adjustment_nano,
        "opening": shown.opening_balance_nano,
        "closing": shown.closing_balance_nano,
    }
    assert {name: texts[name] for name in money} == {
        name: format_nano(amount_nano, shown.currency) for name, amount_nano in money.items()
    }
    assert (texts["statement"], texts["root"], texts["sha256"]) == (str(shown.id), shown.records_root, SHA256)
    [line] = shown.lines
    assert read_rows(page, "lines") == [
        [
            line.project_name,
            line.key_name,
            line.model_name,
            str(line.price_version),
            str(line.record_count),
            "74at 0.50 CNY per million",
            "16at 1.50 CNY per million",
            format_nano(line.amount_nano, shown.currency),
        ]
    ]
    [adjustment] = shown.adjustments
    [row] = read_rows(page, "adjustments")
    assert row[1:] == [str(adjustment.statement_id), adjustment.resolution, format_nano(adjustment.amount_nano, "CNY")]


def test_providers_page_has_its_own_columns() -> None:
    page = read_page(build_provider_content())
    assert read_rows(page, "lines") == [
        ["tokyo-1", "cpu-x86-64", "smollm2-135m-instruct", "late", "2", "74", "16", "0.000061 CNY"]
    ]
    assert "tax" not in read_texts(page)


def test_open_statement_says_that_it_can_change() -> None:
    texts = read_texts(read_page(build_statement_content(id=None, records_root=None, closed_at=None), None))
    assert texts["state"] == "open: it can still change"
    assert (texts["root"], texts["sha256"], texts["statement"]) == ("", "", "")


@given(TEXTS, TEXTS)
def test_every_text_is_escaped(name: str, resolution: str) -> None:
    lines = [build_statement_line(project_name=name, key_name=name, model_name=name)]
    content = build_statement_content(
        holder_name=name, lines=lines, adjustments=[build_adjustment(resolution=resolution)]
    )
    page = read_page(content)
    assert read_texts(page)["holder"] == name
    assert read_rows(page, "lines")[0][:3] == [name] * 3
    assert read_rows(page, "adjustments")[0][2] == resolution
    clean = read_page(build_statement_content(adjustments=[build_adjustment()]))
    assert [each.tag for each in page.iter()] == [each.tag for each in clean.iter()]


@pytest.mark.parametrize("content", [build_statement_content(), build_provider_content()])
def test_page_is_whole_and_passive(content: StatementContent) -> None:
    page = read_page(content)
    assert not {each.tag for each in page.iter()} & ACTIVE_TAGS
    names = {name for each in page.iter() for name in each.attrib}
    assert not {name for name in names if name.startswith("on") or name in {"src", "href", "style"}}
    [style] = list(page.iter("style"))
    assert style.text is not None
    assert not re.search(r"url\(|@import", style.text)
    assert "size: A4" in style.text
