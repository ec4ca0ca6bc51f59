"""Accounts over HTTP: a wallet to its organization, a payable to its provider, all to an auditor."""

import pytest

from tests.api.stage import Stage


@pytest.mark.parametrize(
    ("who", "kinds"),
    [
        ("developer", {"wallet"}),
        ("provider", {"provider_payable"}),
        ("stranger", set()),
        ("auditor", {"wallet", "provider_payable"}),
    ],
)
async def test_accounts_in_scope(stage: Stage, who: str, kinds: set[str]) -> None:
    listed = (await stage.ask(who, "GET", "/accounts")).json()["items"]
    assert {line["kind"] for line in listed} >= kinds
    if who != "auditor":
        assert {line["kind"] for line in listed} == kinds


async def test_balances_are_decimal_strings_that_sum_to_zero(stage: Stage) -> None:
    listed = (await stage.ask("auditor", "GET", "/accounts")).json()["items"]
    assert sum(int(line["balance_nano"]) for line in listed) == 0
    wallet = await stage.ask("developer", "GET", f"/accounts/{stage.ids['account']}")
    assert wallet.json()["balance_nano"] == "-30500"
