"""Three whole platforms joined by commands: a call crosses through the parent, and a parent that is killed takes nothing with it."""

import time
from typing import Any

import openai
import pytest

from tests.deadline import let_time_pass, wait_until
from tests.e2e.federation.town import JOINED_S_MAX, Town, join, list_offers, run_towns
from tests.e2e.stack import MODEL

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
SOON_S = 90.0


def call(town: Town) -> str:
    """Make one call with the ordinary client, and return its record's id."""
    with town.open_client() as client:
        raw = client.chat.completions.with_raw_response.create(
            model=MODEL, messages=[{"role": "user", "content": "What is the capital of Japan?"}], max_tokens=8
        )
    answer = raw.parse()
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0
    return str(raw.headers["keisan-record-id"])


def call_until_served(town: Town) -> str:
    """Call until a call is served; each one before must have been refused with a code."""
    end_s = time.monotonic() + SOON_S
    while True:
        try:
            return call(town)
        except openai.APIStatusError as refusal:
            if not refusal.code or time.monotonic() > end_s:
                raise
            let_time_pass(0.5)


def find_tickets(town: Town, side: str) -> list[dict[str, Any]]:
    return [each for each in town.run("credit", "list") if each["side"] == side]


def count_settled(town: Town, serving_id: str) -> int:
    """Return how many calls a platform knows of that another served, settled by both ends' records."""
    found = [each["id"] for each in town.run("settlement", "list") if each["author"] == serving_id]
    sums = [line for each in found for line in town.run("settlement", "show", each)["sums"]]
    return sum(line["record_count"] for line in sums if (line["end"], line["state"]) == ("serving", "settled"))


def test_a_call_crosses_platforms_that_were_joined_by_commands() -> None:
    with run_towns() as (nation, coast, inland):
        join(nation, coast, "CN-SH", "sh")
        join(nation, inland, "CN-SX", "sx")
        inland_id = inland.platform_id
        wait_until(lambda: bool(list_offers(coast)), "coast's gateway lists inland's offer", JOINED_S_MAX)
        (offer,) = list_offers(coast)
        assert (offer["platform"], offer["region"], offer["verdict"]) == ("inland", "CN-SX", "ok")
        check_key_elsewhere(nation, inland)
        coast.run("organizations", "top-up", "default", "100", "CNY")
        coast.run("organizations", "admit", "default", inland_id, "--credit-max", "20")
        wait_until(lambda: bool(find_tickets(coast, "home")), "credit is leased", JOINED_S_MAX)
        records = [call_until_served(coast)]
        records += [call(coast) for _ in range(2)]
        for town in (coast, inland):
            wait_for_books(town, inland_id, records)
        wait_until(lambda: int(find_tickets(coast, "home")[0]["spent_nano"]) > 0, "credit is spent at home", SOON_S)
        check_parent_killed(nation, coast, inland, records)


def check_key_elsewhere(home: Town, elsewhere: Town) -> None:
    """Show a key where its organization was not admitted: the gateway names the key's home, as it does for no other text."""
    secret = home.run("keys", "create", "traveller")["secret"]
    # Once it has heard of the home.
    wait_until(lambda: refuse(elsewhere, secret)[0] == "key_not_admitted", "its home is known", JOINED_S_MAX)
    assert f"'{home.name}'" in refuse(elsewhere, secret)[1]
    assert refuse(elsewhere, secret.replace(home.platform_id[:12], "0" * 12))[0] == "invalid_api_key"


def refuse(town: Town, api_key: str) -> tuple[str | None, str]:
    """Call with a key that is none here, and return the code and the text of the refusal."""
    with town.open_client(api_key) as client, pytest.raises(openai.APIStatusError) as refused:
        client.models.list()
    return refused.value.code, refused.value.message


def wait_for_books(town: Town, serving_id: str, records: list[str]) -> None:
    """Wait until a platform has both ends' records of calls, and receipts of the same ids."""
    is_settled = f"{town.name} has {len(records)} calls settled"
    wait_until(lambda: count_settled(town, serving_id) == len(records), is_settled, SOON_S)
    for record in records:
        assert town.run("settlement", "receipt", record), record


def check_parent_killed(nation: Town, coast: Town, inland: Town, records: list[str]) -> None:
    """Kill the parent: local calls go on, a cross call is refused at once, and after its restart nothing is lost or doubled."""
    nation.kill()
    assert call(inland), "a local call needs no parent"
    wait_until(lambda: is_refused(coast), "coast's gateway has felt the cut", SOON_S)
    begun_s = time.monotonic()
    with pytest.raises(openai.APIStatusError) as refused:
        call(coast)
    assert refused.value.code == "platform_unreachable"
    assert time.monotonic() - begun_s < 5.0
    nation.start_again()
    last = call_until_served(coast)
    for town in (coast, inland):
        wait_for_books(town, inland.platform_id, [*records, last])
    (home,), (serving,) = find_tickets(coast, "home"), find_tickets(inland, "serving")
    assert home["id"] == serving["id"]
    wait_until(lambda: same_spent(coast, inland), "both ends have spent the same", SOON_S)


def is_refused(town: Town) -> bool:
    try:
        call(town)
    except openai.APIStatusError:
        return True
    return False


def same_spent(coast: Town, inland: Town) -> bool:
    (home,), (serving,) = find_tickets(coast, "home"), find_tickets(inland, "serving")
    return bool(home["spent_nano"] == serving["spent_nano"])
