"""`keisan models`: prices people can read, facts a program can."""

from tests.cli.conftest import CommandLine

MODEL = "smollm2-135m-instruct"


def test_list_shows_prices(command_line: CommandLine) -> None:
    answer = command_line.run("models", "list")
    [line] = [line for line in answer.out.splitlines() if MODEL in line]
    assert line.split() == [MODEL, "Q4_1", "2048", "0.50", "CNY", "0.05", "CNY", "1.50", "CNY"]
    [model] = command_line.run("models", "list", "--json").told
    assert model["weights_bytes"] == 98_362_432


def test_show_one(command_line: CommandLine) -> None:
    assert "93.8 MiB" in command_line.run("models", "show", MODEL).out
    assert command_line.run("models", "show", MODEL, "--json").told["name"] == MODEL
    missing = command_line.run("models", "show", "gpt")
    assert (missing.code, MODEL in missing.aside) == (5, True)
