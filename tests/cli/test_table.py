"""Tables on screens of any width: nothing is lost, no line is too long, no word is torn into shreds."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from keisan.cli.table import PIECE_CHARACTERS_MIN, build_table, format_lines, share_width

ID = "01a21682-05f0-710c-9d8b-7da909b727d1"
KEYS = ("id", "name", "role", "models", "limits", "policy", "state")
KEY = (ID, "first", "developer", "smollm2-135m-instruct", "600 requests/min, 4 calls open", "none", "in force")
# Letters that are as wide as two stand for names of a third of the world.
WORDS = st.text(st.sampled_from("ab-:[]計算 "), max_size=40)


def draw(columns: tuple[str, ...], rows: list[tuple[str, ...]], width: int) -> list[str] | None:
    table = build_table(columns, rows, width)
    if table is None:
        return None
    screen = Console(file=io.StringIO(), width=width, emoji=False)
    screen.print(table)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


def count_letters(text: str) -> int:
    return sum(not letter.isspace() for letter in text)


@given(st.integers(1, 120), st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=3))
def test_nothing_is_lost_and_no_line_is_too_long(width: int, rows: list[tuple[str, ...]]) -> None:
    columns = ("id", "name", "policy")
    all_letters = count_letters("".join(columns) + "".join(cell for row in rows for cell in row))
    lines = draw(columns, rows, width)
    if lines is None:
        lines = format_lines(columns, rows).splitlines()
        all_letters += count_letters("".join(columns)) * (len(rows) - 1)
    else:
        assert max(map(cell_len, lines)) <= width
    assert sum(count_letters(line) for line in lines if "─" not in line) == all_letters


def test_wide_screen_has_each_row_in_a_line() -> None:
    lines = draw(KEYS, [KEY], 200)
    assert lines is not None
    assert [line.split() for line in lines if ID in line] == [" ".join(KEY).split()]


@pytest.mark.parametrize("width", range(1, 200))
def test_head_and_id_stay_whole_in_a_table(width: int) -> None:
    lines = draw(KEYS, [KEY], width)
    if lines is None:
        lines = format_lines(KEYS, [KEY]).splitlines()
        assert [line.split()[0] for line in lines] == list(KEYS)
    else:
        assert [line.split() for line in lines if "id" in line] == [list(KEYS)]
    assert any(ID in line for line in lines)


def test_words_are_folded_into_pieces_that_can_be_read() -> None:
    columns, rows = ("id", "model"), [("1", "smollm2-135m-instruct")]
    assert share_width(columns, rows, 100) == [2, 21]
    assert share_width(columns, rows, 2 + 2 + 3 + 12) == [2, 12]
    assert share_width(columns, rows, 2 + 2 + 3 + PIECE_CHARACTERS_MIN) == [2, PIECE_CHARACTERS_MIN]
    assert share_width(columns, rows, 2 + 2 + 3 + PIECE_CHARACTERS_MIN - 1) is None


def test_what_one_column_leaves_the_others_have() -> None:
    rows = [("a" * 10, "b" * 30, "c" * 60)]
    assert share_width(("one", "two", "three"), rows, 2 + 6 + 70) == [10, 30, 30]


def test_rows_line_by_line_are_paragraphs() -> None:
    told = format_lines(("id", "policy"), [("1", "none"), ("2", "")])
    assert told == "id      1\npolicy  none\n\nid      2\npolicy"
