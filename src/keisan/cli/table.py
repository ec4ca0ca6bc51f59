"""Tables for eyes: as wide as the screen allows, and line by line where a table would tear words into shreds or lose some."""

from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.markup import escape
from rich.table import Table

# A word is folded where it must be, but into pieces of no fewer characters than this.
PIECE_CHARACTERS_MIN = 8
# Between two columns, and at both ends together, as box and padding below make them.
GAP_CHARACTERS = 3
EDGE_CHARACTERS = 2
# An id is there to be copied whole.
WHOLE = "id"

Rows = Sequence[Sequence[str]]


def build_table(columns: Sequence[str], rows: Rows, width: int) -> Table | None:
    """Return a table of at most `width` characters, None where only lines can be read."""
    widths = share_width(columns, rows, width)
    if widths is None:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, characters in zip(columns, widths, strict=True):
        table.add_column(column, overflow="fold", no_wrap=column == WHOLE, width=characters)
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table


def share_width(columns: Sequence[str], rows: Rows, width: int) -> list[int] | None:
    """Return how wide each column is: what it wants, or a fair share of what there is; None if that is too little."""
    cells = [[column, *(row[index] for row in rows)] for index, column in enumerate(columns)]
    wanted = [max(map(cell_len, column)) for column in cells]
    given = [_find_least(column, most) for column, most in zip(cells, wanted, strict=True)]
    spare = width - EDGE_CHARACTERS - GAP_CHARACTERS * (len(columns) - 1) - sum(given)
    if spare < 0:
        return None
    # Who wants little is served first, so that what they leave goes to the others.
    order = sorted(range(len(columns)), key=lambda index: wanted[index] - given[index])
    for place, index in enumerate(order):
        more = min(wanted[index] - given[index], spare // (len(order) - place))
        given[index] += more
        spare -= more
    return given


def format_lines(columns: Sequence[str], rows: Rows) -> str:
    """Return each row as a paragraph with a line for each column."""
    label = max(map(cell_len, columns))
    paragraphs = (
        "\n".join(f"{column:<{label}}  {cell}".rstrip() for column, cell in zip(columns, row, strict=True))
        for row in rows
    )
    return "\n\n".join(paragraphs)


def _find_least(cells: Sequence[str], most: int) -> int:
    head = cells[0]
    if head == WHOLE:
        return most
    longest_word = max(cell_len(word) for cell in cells for word in cell.split() or [""])
    return max(cell_len(head), min(longest_word, PIECE_CHARACTERS_MIN))
