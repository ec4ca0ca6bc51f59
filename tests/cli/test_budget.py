"""`keisan budgets`: as people type them, in a currency that no other test spends."""

from tests.cli.conftest import CommandLine


def test_budget_is_made_listed_changed_and_deleted(command_line: CommandLine) -> None:
    project = command_line.run("projects", "list", "--json").told[0]
    made = command_line.run("budgets", "create", "0.5", "XTS", "--project", "default")
    budget_id = made.out.split(":")[0]
    assert (made.code, made.out) == (0, f"{budget_id}: 0.50 XTS (month) for project {project['id']}\n")
    [line] = [line for line in command_line.run("budgets", "list").out.splitlines() if budget_id in line]
    assert line.count("0.00 XTS") == 2
    changed = command_line.run("budgets", "update", budget_id, "250", "--json").told
    assert (changed["amount_nano"], changed["version"]) == ("250000000000", 2)
    assert command_line.run("budgets", "delete", budget_id).out == f"the budget {budget_id} is deleted\n"
    assert budget_id not in command_line.run("budgets", "list").out


def test_rolling_budget_of_a_key_and_of_an_organization(command_line: CommandLine) -> None:
    key = command_line.run("keys", "list", "--json").told[0]
    rolling = ("--period", "rolling", "--window-s", "3600")
    made = command_line.run("budgets", "create", "1", "XTS", "--key-id", key["id"], *rolling)
    assert made.out.endswith(f": 1.00 XTS (every 3600 s) for key {key['id']}\n")
    assert command_line.run("budgets", "delete", made.out.split(":")[0]).code == 0
    owner = command_line.run("organizations", "list", "--json").told[0]
    made = command_line.run("budgets", "create", "1", "XTS", "--organization", owner["name"], "--period", "lifetime")
    assert made.out.endswith(f": 1.00 XTS (lifetime) for organization {owner['id']}\n")
    assert command_line.run("budgets", "delete", made.out.split(":")[0]).code == 0


def test_what_is_no_budget_is_refused(command_line: CommandLine) -> None:
    for words in (("much", "XTS"), ("1", "yuan"), ("1", "XTS", "--period", "rolling"), ("1", "XTS")):
        answer = command_line.run("budgets", "create", *words)
        assert (answer.code != 0, answer.out) == (True, ""), words
    assert command_line.run("budgets", "list", "--json").told == []
