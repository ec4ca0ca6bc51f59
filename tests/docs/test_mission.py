"""docs/mission.md answers every row of the mission: by a command, by a page, or by an honest "not yet"."""

import re

import pytest

from tests.docs.page import LINK, Page, load_page

ROWS = ("S1a", "S1b", "S1c", "S1d", "S1e", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "context")
PAGE = "docs/mission.md"


def read_rows(page: Page) -> dict[str, tuple[str, str]]:
    """Return row -> (what has to be shown, what shows it), from the page's table."""
    rows = {}
    for line in page.text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and re.fullmatch(r"S\d+[a-e]?|context", cells[0]):
            rows[cells[0]] = (cells[1], cells[2])
    return rows


def is_answered(shown: str) -> bool:
    """Tell whether a cell names a command, leads to a page, or says "not yet"."""
    return "not yet" in shown.lower() or "`keisan " in shown or LINK.search(shown) is not None


def test_all_rows_are_there_in_order() -> None:
    assert tuple(read_rows(load_page(PAGE))) == ROWS


@pytest.mark.parametrize("row", ROWS)
def test_row_is_answered(row: str) -> None:
    wanted, shown = read_rows(load_page(PAGE))[row]
    assert wanted
    assert is_answered(shown), f"{row} names no command and no page and does not say 'not yet'"


def test_a_missing_row_and_an_empty_answer_are_found() -> None:
    page = Page(
        PAGE, "| row | wanted | shown by |\n|---|---|---|\n| S1a | a tree | soon |\n| S2 | images | Not yet. |\n"
    )
    rows = read_rows(page)
    assert list(rows) == ["S1a", "S2"]
    assert not is_answered(rows["S1a"][1])
    assert is_answered(rows["S2"][1])
    assert is_answered("[a page](a.md)")
    assert is_answered("`keisan up`")
