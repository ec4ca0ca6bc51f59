"""`keisan offers`: made of what people type, listed with names, withdrawn."""

import pytest

from tests.cli.conftest import CommandLine

MODEL = "smollm2-135m-instruct"
PRICES = ("--price", "input=0.5", "--price", "output=1.5")


def find_provider(command_line: CommandLine) -> str:
    with command_line.open_api() as api:
        return str(api.get("/providers").json()["items"][0]["name"])


def test_offer_of_a_model_is_made_listed_and_withdrawn(command_line: CommandLine) -> None:
    name = find_provider(command_line)
    words = ("offers", "make", name, "XTS", "--model", MODEL, *PRICES, "--price", "image=0.03", "--json")
    made = command_line.run(*words).told
    assert made["nano_per_million"] == {"input": "500000000", "output": "1500000000", "image": "30000000"}
    assert (made["kind"], made["effective_until"]) == ("fixed", None)
    listed = command_line.run("offers", "list")
    [line] = [line for line in listed.out.splitlines() if made["id"] in line]
    assert all(word in line for word in (name, MODEL, "fixed", "input 0.50 XTS", "image 0.03 XTS", "from "))
    withdrawn = command_line.run("offers", "withdraw", made["id"])
    assert (withdrawn.code, f"version {made['version'] + 1}: withdrawn, from " in withdrawn.out) == (0, True)
    assert command_line.run("offers", "list", "--json").told[-1]["is_withdrawn"] is True


def test_device_hours_are_reserved_for_a_time(command_line: CommandLine) -> None:
    words = ("--chip", "nvidia-h20", "--device-hour", "12.5", "--quantity-max", "720", "--term-hours", "360")
    span = ("--from", "2090-01-01", "--until", "2090-02-01T12:00:00")
    made = command_line.run("offers", "make", find_provider(command_line), "XTS", *words, *span)
    assert made.code == 0, made.aside
    told = "device-hour 12.50 XTS, at most 720 in 360 h, from 2090-01-01 00:00:00 until 2090-02-01 12:00:00\n"
    assert made.out.endswith(told)
    [last] = command_line.run("offers", "list", "--json").told[-1:]
    assert (last["kind"], last["effective_from"]) == ("reserved", "2090-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--model", MODEL, "--price", "inputs=1"), "expected one of input, "),
        (("--model", MODEL, "--price", "input=much"), "expected an amount such as 250 or 0.5, got 'much' (--price)"),
        (("--chip", "nvidia-h20", "--device-hour", "-1"), "got '-1' (--device-hour)"),
        (("--chip", "abacus", "--device-hour", "1"), "the catalogue has no chip 'abacus' (chip)"),
        (("--model", MODEL, *PRICES, "--from", "2020-01-01"), "(effective_from)"),
        (PRICES, "of one of them (model_id)"),
    ],
)
def test_odd_words_are_faults(command_line: CommandLine, words: tuple[str, ...], told: str) -> None:
    before = command_line.run("offers", "list", "--json").told
    refused = command_line.run("offers", "make", find_provider(command_line), "XTS", *words)
    assert (refused.code, told in refused.aside) == (2, True), refused.aside
    assert command_line.run("offers", "list", "--json").told == before


def test_developer_sees_none(command_line: CommandLine) -> None:
    assert command_line.run("offers", "list", "--json", key=command_line.developer_key).told == []
