"""Says at the end of a run which files have grown past the length at which one looks for the noun to split by."""

from pathlib import Path

import pytest

from tests.tidy.rules.files import list_smells
from tests.tidy.tree import load_tree


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    smells = list_smells(load_tree(Path(__file__).parents[2]))
    if smells:
        terminalreporter.section("files past 300 lines")
        for smell in smells:
            terminalreporter.write_line(smell)
