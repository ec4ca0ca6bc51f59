"""What every command shares: connection options, JSON, exit codes, and never a traceback."""

import pytest
import typer
from typer.testing import CliRunner

from keisan.cli.application import add_commands
from keisan.cli.session import ConnectionOptions, Target
from keisan.domain.errors import Unavailable
from tests.cli.conftest import CommandLine

EVERY_COMMAND = [
    ("status",),
    ("chat", "hi"),
    ("credit", "list"),
    ("federation", "approve", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("federation", "check"),
    ("federation", "exchanges"),
    ("federation", "invite"),
    ("federation", "join", "kf-keisan-x"),
    ("federation", "leave"),
    ("federation", "move", "kf-keisan-x"),
    ("federation", "reject", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("federation", "requests"),
    ("federation", "revoke", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("federation", "show"),
    ("grant", "approve", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("grant", "ask", "ab" * 32, "--count", "1"),
    ("grant", "end", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("grant", "list"),
    ("grant", "refuse", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "why"),
    ("grant", "renew", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("grant", "run", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "x"),
    ("grant", "show", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("grant", "terms"),
    ("organizations", "admit", "x", "y"),
    ("organizations", "dismiss", "x", "y"),
    ("resolve", "cn.sx:platform:self:55"),
    ("settlement", "compare", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("settlement", "disputes"),
    ("settlement", "end", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("settlement", "list"),
    ("settlement", "positions", "2026-11-27"),
    ("settlement", "receipt", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("settlement", "show", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("keys", "list"),
    ("keys", "create", "x"),
    ("keys", "limit", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("keys", "policy", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "none"),
    ("keys", "revoke", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("organizations", "list"),
    ("organizations", "limit", "x"),
    ("organizations", "policy", "x", "none"),
    ("organizations", "billing", "x", "prepaid"),
    ("organizations", "top-up", "x", "10", "CNY"),
    ("organizations", "credit-note", "x", "10", "CNY", "--note", "why"),
    ("organizations", "wallet-low", "x", "10", "CNY"),
    ("organizations", "snapshot-age", "x", "60"),
    ("organizations", "time-zone", "x", "Asia/Tokyo"),
    ("budgets", "list"),
    ("budgets", "create", "100", "CNY"),
    ("budgets", "update", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "100"),
    ("budgets", "delete", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("top-ups", "list"),
    ("top-ups", "approve", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("top-ups", "reject", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("top-ups", "four-eyes", "10", "CNY"),
    ("projects", "list"),
    ("projects", "limit", "x"),
    ("projects", "policy", "x", "none"),
    ("policy", "check", "none"),
    ("models", "list"),
    ("models", "show", "x"),
    ("chips", "list"),
    ("chips", "show", "x"),
    ("chips", "compare"),
    ("telemetry", "query"),
    ("telemetry", "show"),
    ("telemetry", "watch"),
    ("telemetry", "devices", "x"),
    ("telemetry", "frames"),
    ("report", "nation", "--month", "2026-10"),
    ("device", "list"),
    ("device", "show", "x"),
    ("device", "cordon", "x", "--reason", "r"),
    ("device", "drain", "x", "--reason", "r"),
    ("device", "uncordon", "x"),
    ("device", "retire", "x", "--reason", "r"),
    ("device", "reinstate", "x", "--reason", "r"),
    ("deploy", "list"),
    ("deploy", "create", "x"),
    ("deploy", "scale", "x", "1"),
    ("deploy", "delete", "x"),
    ("sites", "list"),
    ("sites", "door", "x"),
    ("sites", "rotate-door", "x"),
    ("facilities", "list"),
    ("facilities", "show", "x"),
    ("facilities", "upload", __file__),
    ("claims", "list"),
    ("claims", "make", "x", "nvidia-h20", "1"),
    ("claims", "withdraw", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("claims", "upload", __file__),
    ("surveys", "list"),
    ("surveys", "upload", __file__),
    ("surveys", "withdraw", "x", "2026-01-01"),
    ("capacity",),
    ("supernode", "templates"),
    ("supernode", "list", "x"),
    ("prices", "list"),
    ("prices", "make", "x", "CNY", "--price", "input=1", "--price", "output=1"),
    ("offers", "list"),
    ("offers", "make", "x", "CNY", "--model", "x", "--price", "input=1", "--price", "output=1"),
    ("offers", "withdraw", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("deductions", "list"),
    ("deductions", "make", "tax", "6"),
    ("deductions", "withdraw", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("receipt", "get", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("forecast",),
    ("usage",),
    ("alerts", "list"),
    ("webhooks", "list"),
    ("webhooks", "create", "https://receiver.example/"),
    ("webhooks", "enable", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("webhooks", "disable", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("webhooks", "rotate", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("webhooks", "deliveries", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("webhooks", "redeliver", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("usage", "analyse"),
    ("usage", "export", "x"),
    ("challenge", "run"),
    ("challenge", "list"),
    ("challenge", "verified"),
    ("challenge", "serve", "x"),
    ("challenge", "served"),
    ("statement", "list"),
    ("statement", "show", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("statement", "preview", "customer", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "CNY"),
    ("statement", "export", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "x"),
    ("statement", "close", "2026-11"),
    ("statement", "closings"),
    ("payout", "list"),
    ("payout", "create", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("dispute", "list"),
    ("dispute", "open", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "x"),
    ("dispute", "reject", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "x"),
    ("dispute", "uphold", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6", "1", "x"),
    ("suspense", "list"),
    ("suspense", "charge", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("suspense", "write-off", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("quarantine", "list"),
    ("quarantine", "accept", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("quarantine", "discard", "01a20aeb-52ef-74d3-b434-c1dc6e4c30f6"),
    ("logs",),
]


GROUPS = frozenset({"credit", "federation", "grant", "settlement"}) | frozenset(
    {
        "organizations",
        "top-ups",
        "projects",
        "keys",
        "budgets",
        "challenge",
        "policy",
        "models",
        "chips",
        "device",
        "telemetry",
        "deploy",
        "sites",
        "facilities",
        "claims",
        "surveys",
        "supernode",
        "offers",
        "prices",
        "deductions",
        "receipt",
        "alerts",
        "webhooks",
        "statement",
        "payout",
        "dispute",
        "suspense",
        "quarantine",
        "usage",
    }
)
# They speak to nobody.
LOCAL = {("receipt", "verify"), ("statement", "verify")}


def list_leaves(application: typer.Typer, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    own = [(*path, str(command.name)) for command in application.registered_commands]
    for group in application.registered_groups:
        assert group.typer_instance is not None
        # What a group does by itself is a command too.
        own += [(*path, str(group.name))] if group.typer_instance.registered_callback else []
        own += list_leaves(group.typer_instance, (*path, str(group.name)))
    return own


def test_list_above_is_complete() -> None:
    application = typer.Typer()
    add_commands(application)
    tried = {words[: 2 if words[0] in GROUPS else 1] for words in EVERY_COMMAND}
    assert tried == set(list_leaves(application)) - LOCAL


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_unreachable_platform_is_one_line_and_code_3(command_line: CommandLine, words: tuple[str, ...]) -> None:
    nowhere = ("--url", "http://127.0.0.1:1", "--gateway-url", "http://127.0.0.1:1")
    answer = command_line.run(*words, *nowhere)
    assert answer.code == 3
    assert answer.aside.startswith("keisan: ")
    assert len(answer.aside.splitlines()) == 1
    told = command_line.run(*words, *nowhere, "--json")
    assert told.code == 3
    assert told.told["error"]["retryable"] is True


@pytest.mark.parametrize("words", [words for words in EVERY_COMMAND if words[0] != "chat"], ids=" ".join)
def test_wrong_key_is_code_4(command_line: CommandLine, words: tuple[str, ...]) -> None:
    answer = command_line.run(*words, "--key", "sk-keisan-wrong", "--json")
    assert answer.code == 4
    assert answer.told["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("keys", "create", ""), "name"),
        (("keys", "create", "!"), "name"),
        (("keys", "create", "x", "--model", ""), "models.0"),
        (("keys", "create", "x", "--model", "\udcff"), "model"),
        (("chat", "\udcff"), "question"),
    ],
)
def test_value_that_the_wire_refuses_is_one_line_and_code_2(
    command_line: CommandLine, words: tuple[str, ...], field: str
) -> None:
    answer = command_line.run(*words)
    assert (answer.code, len(answer.aside.splitlines())) == (2, 1)
    assert answer.aside.startswith("keisan: expected ")
    assert answer.aside.endswith(f" ({field})\n")
    assert command_line.run(*words, "--json").told["error"]["code"] == "invalid_input"


def test_options_reach_the_resolver() -> None:
    application, seen = typer.Typer(), []
    add_commands(application)

    def resolve(options: ConnectionOptions) -> Target:
        seen.append(options)
        raise Unavailable("nobody is there")

    words = "usage --url http://a --gateway-url http://b --key k --data /d --ca /c"
    result = CliRunner().invoke(application, words.split(), obj=resolve)
    assert (result.exit_code, result.stderr) == (3, "keisan: nobody is there\n")
    [options] = seen
    assert (options.platform_url, options.gateway_url, options.api_key) == ("http://a", "http://b", "k")
    assert (str(options.data), str(options.ca_path)) == ("/d", "/c")


@pytest.mark.parametrize("words", [("statsu",), ("keys",), ("deploy", "scale", "x"), ("usage", "--since", "yesterday")])
def test_wrong_usage_is_code_2(command_line: CommandLine, words: tuple[str, ...]) -> None:
    assert command_line.run(*words).code == 2
