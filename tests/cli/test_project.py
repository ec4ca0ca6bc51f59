"""`keisan projects`: listed, bounded, and under a policy."""

from tests.cli.conftest import CommandLine


def test_project_is_bounded_and_put_under_a_policy(command_line: CommandLine) -> None:
    limited = command_line.run("projects", "limit", "default", "--tokens-per-minute", "100000")
    assert (limited.code, limited.out) == (0, "default: 100000 tokens/min\n")
    changed = command_line.run("projects", "policy", "default", "region  in JP,CN")
    assert (changed.code, changed.out) == (0, "default: region in JP, CN\n")
    [line] = [line for line in command_line.run("projects", "list").out.splitlines() if "default" in line]
    assert "100000 tokens/min" in line
    assert "region in JP, CN" in line
    freed = command_line.run("projects", "policy", "default", "none", "--json").told
    assert (freed["policy"], freed["limits"]["tokens_per_minute"]) == ("", 100_000)
    assert command_line.run("projects", "limit", "default", "--tokens-per-minute", "none").out == "default: none\n"


def test_unknown_project_names_those_there_are(command_line: CommandLine) -> None:
    answer = command_line.run("projects", "limit", "nowhere")
    assert (answer.code, answer.aside) == (5, "keisan: there is no project 'nowhere'; there are: default\n")
