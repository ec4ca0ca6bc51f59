"""How a command answers: text and tables for eyes, or JSON on standard output with everything else on standard error."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from keisan.cli.table import build_table, format_lines
from keisan.wire.base import WireView

# A table into a pipe or a file is for a program or a wide screen, not for the 80 columns that rich would assume.
PIPE_COLUMNS = 200


def open_console() -> Console:
    """Return a console on standard output."""
    console = Console(soft_wrap=True, emoji=False)
    return console if console.is_terminal else Console(soft_wrap=True, emoji=False, width=PIPE_COLUMNS)


@dataclass(frozen=True, slots=True)
class Output:
    """`show_*` prints the answer, once per command; `tell` prints what is going on meanwhile."""

    is_json: bool
    console: Console = field(default_factory=open_console)
    aside: Console = field(default_factory=lambda: Console(stderr=True, soft_wrap=True, emoji=False))

    def show_json(self, content: object) -> None:
        """Print one JSON value on one line."""
        text = json.dumps(content, ensure_ascii=False)
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def show_views(self, views: Sequence[WireView], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a list: its views as a JSON array, or its rows as a table."""
        if self.is_json:
            self.show_json([view.model_dump(mode="json") for view in views])
        else:
            self.show_table(columns, rows)

    def show_table(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table for eyes, or its rows line by line on a narrow screen; an empty one says so."""
        texts = [[str(cell) for cell in row] for row in rows]
        if not texts:
            self.tell("nothing here")
        elif table := build_table(columns, texts, self.console.width):
            self.console.print(table, soft_wrap=False)
        else:
            self.show_text(format_lines(columns, texts))

    def show_view(self, view: WireView, text: str) -> None:
        """Print one thing: its view as a JSON object, or a text."""
        if self.is_json:
            self.show_json(view.model_dump(mode="json"))
        else:
            self.show_text(text)

    def show_text(self, text: str, end: str = "\n") -> None:
        """Print a text for eyes, as it is."""
        self.console.print(text, markup=False, highlight=False, end=end, soft_wrap=True)

    def tell(self, text: str) -> None:
        """Print what is going on, for people, beside the answer."""
        self.aside.print(text, markup=False, highlight=False, soft_wrap=True)
