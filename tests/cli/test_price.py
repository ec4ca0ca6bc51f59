"""`keisan prices`: the next version of a model's prices, for now and for later, and which one is in force."""

import pytest

from tests.cli.conftest import CommandLine

MODEL = "smollm2-135m-instruct"
# As the first start sets them: other tests read what the model costs.
PRICES = ("--price", "input=0.5", "--price", "input_cached=0.05", "--price", "output=1.5")


def find_states(command_line: CommandLine) -> dict[str, str]:
    """Return the state of each version by its id, as the table shows it."""
    listed = command_line.run("prices", "list", "--model", MODEL).out.splitlines()
    states = ("in force", "to come", "replaced")
    return {line.split()[0]: state for line in listed for state in states if line.rstrip().endswith(state)}


def test_next_version_is_in_force_at_once(command_line: CommandLine) -> None:
    before = [line["id"] for line in command_line.run("prices", "list", "--json").told]
    made = command_line.run("prices", "make", MODEL, "CNY", *PRICES)
    assert made.code == 0, made.aside
    told = "input 0.50 CNY, input_cached 0.05 CNY, output 1.50 CNY"
    [last] = [line for line in command_line.run("prices", "list", "--json").told if line["id"] not in before]
    assert made.out.startswith(f"price {last['id']} of {MODEL} version {last['version']}: {told}")
    states = find_states(command_line)
    assert states.pop(last["id"]) == "in force"
    assert set(states.values()) <= {"replaced", "to come"}
    [listed] = [line for line in command_line.run("prices", "list").out.splitlines() if last["id"] in line]
    assert (MODEL in listed, told in listed) == (True, True)


def test_version_for_later_leaves_the_one_in_force(command_line: CommandLine) -> None:
    before = find_states(command_line)
    words = (
        "prices",
        "make",
        MODEL,
        "CNY",
        "--price",
        "input=9",
        "--price",
        "output=0.000000001",
        "--from",
        "2090-01-01",
    )
    made = command_line.run(*words, "--json").told
    assert made["nano_per_million"] == {"input": "9000000000", "output": "1"}
    assert made["effective_from"] == "2090-01-01T00:00:00Z"
    assert find_states(command_line) == before | {made["id"]: "to come"}


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        ((MODEL, "CNY", "--price", "inputs=1"), "expected one of input, ", 2),
        ((MODEL, "CNY", "--price", "input=much"), "expected an amount such as 250 or 0.5, got 'much' (--price)", 2),
        ((MODEL, "CNY", "--price", "input=1"), "a price needs the class 'output'", 2),
        ((MODEL, "yuan", *PRICES), "(currency)", 2),
        ((MODEL, "CNY", *PRICES, "--from", "2020-01-01"), "(effective_from)", 2),
        (("gpt", "CNY", *PRICES), f"there is no model 'gpt'; there are: {MODEL}", 5),
    ],
)
def test_odd_words_are_faults(command_line: CommandLine, words: tuple[str, ...], told: str, code: int) -> None:
    before = command_line.run("prices", "list", "--json").told
    refused = command_line.run("prices", "make", *words)
    assert (refused.code, told in refused.aside) == (code, True), refused.aside
    assert command_line.run("prices", "list", "--json").told == before


def test_developer_sees_them_and_makes_none(command_line: CommandLine) -> None:
    key = command_line.developer_key
    assert command_line.run("prices", "list", "--json", key=key).told
    assert command_line.run("prices", "make", MODEL, "CNY", *PRICES, key=key).code == 4
    assert command_line.run("prices", "list", "--model", "gpt").code == 5
