"""Every keisan command that a page names exists, with its options."""

from typing import Annotated

import pytest
import typer

from keisan.cli.application import add_commands
from keisan.daemon.command import add_ledger_commands, add_process_commands, add_up_command
from keisan.daemon.demo_command import add_demo_commands
from keisan.daemon.identity_command import add_identity_commands
from keisan.daemon.simulate_command import add_simulate_commands
from tests.docs.command import check_command
from tests.docs.page import Page, load_pages

JsonOption = Annotated[bool, typer.Option("--json")]


def build_application() -> typer.Typer:
    """Return the console script's commands, as keisan.daemon.main puts them together."""
    application = typer.Typer()
    add_process_commands(application)
    add_up_command(application)
    add_ledger_commands(application)
    add_identity_commands(application)
    add_simulate_commands(application)
    add_demo_commands(application)
    add_commands(application)
    return application


@pytest.mark.parametrize("page", load_pages(), ids=lambda page: page.path)
def test_named_commands_exist(page: Page) -> None:
    application = build_application()
    faults = [fault for line in page.find_commands() if (fault := check_command(line, application))]
    assert not faults, "\n".join(faults)


def build_small() -> typer.Typer:
    application, keys = typer.Typer(), typer.Typer()

    @application.command("up")
    def up(is_json: JsonOption = False) -> bool:
        return is_json

    @keys.command("list")
    def list_keys() -> None: ...

    @keys.command("create")
    def create_key(name: str, is_json: JsonOption = False) -> str:
        return f"{name} {is_json}"

    application.add_typer(keys, name="keys")
    return application


@pytest.mark.parametrize(
    "line",
    ["keisan up", "keisan up --json", "keisan keys", "keisan keys create NAME", "keisan keys create 'a b' --json # c"],
)
def test_a_right_command_passes(line: str) -> None:
    assert check_command(line, build_small()) is None


@pytest.mark.parametrize("line", ["keisan down", "keisan keys destroy", "keisan up --fast", "keisan up --jsons=1"])
def test_a_wrong_command_is_found(line: str) -> None:
    assert check_command(line, build_small()) is not None
