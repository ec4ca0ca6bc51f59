"""`keisan keys`: secrets shown once, changes that wait for connected gateways, faults that name what there is."""

import hashlib
import threading
from uuid import UUID, uuid4

import httpx

from tests.cli.conftest import CommandLine


def acknowledge(gateway: httpx.Client, stop: threading.Event) -> None:
    """Serve whatever snapshot is newest, as a gateway does, until told to stop."""
    known: dict[str, str] = {}
    while not stop.is_set():
        answer = gateway.get("/gateway/snapshot", params={**known, "wait_s": "0.2"})
        if answer.status_code == 200:
            newest = answer.json().get("snapshot") or answer.json()["delta"]
            known = {"incarnation": newest["incarnation"], "version": str(newest["version"])}


def test_created_key_works_and_its_secret_is_the_answer(command_line: CommandLine) -> None:
    answer = command_line.run("keys", "create", "laptop", "--model", "smollm2-135m-instruct")
    assert (answer.code, answer.aside) == (0, "")
    secret = answer.out.strip()
    assert secret.startswith("sk-keisan-")
    with command_line.open_api(secret) as api:
        assert api.get("/models").status_code == 200


def test_list_shows_no_secret(command_line: CommandLine) -> None:
    secret = command_line.run("keys", "create", "shown-once").out.strip()
    listed = command_line.run("keys", "list")
    assert "shown-once" in listed.out
    told = command_line.run("keys", "list", "--json")
    everything = listed.out + told.out
    assert secret not in everything
    assert hashlib.sha256(secret.encode()).hexdigest() not in everything
    assert {"operator", "first", "shown-once"} <= {key["name"] for key in told.told}


def test_revoked_key_is_refused(command_line: CommandLine) -> None:
    made = command_line.run("keys", "create", "short-lived", "--json").told
    revoked = command_line.run("keys", "revoke", made["key"]["id"])
    assert (revoked.code, "is revoked" in revoked.out) == (0, True)
    with command_line.open_api(made["secret"]) as api:
        assert api.get("/models").status_code == 401
    refused = command_line.run("status", key=made["secret"])
    assert refused.code == 4
    assert "Traceback" not in refused.aside


def test_change_returns_when_the_gateway_has_it(command_line: CommandLine, connected_gateway: httpx.Client) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=acknowledge, args=(connected_gateway, stop))
    thread.start()
    try:
        made = command_line.run("keys", "create", "awaited", "--json")
        gateways = command_line.run("status", "--json").told["gateways"]
    finally:
        stop.set()
        thread.join(10)
    assert (made.code, made.aside) == (0, "")
    assert max(gateway["acknowledged_version"] for gateway in gateways) >= made.told["snapshot_version"]


def test_secret_is_out_before_a_late_gateway_is_told(
    command_line: CommandLine, connected_gateway: httpx.Client
) -> None:
    answer = command_line.run("keys", "create", "not-awaited")
    assert answer.code == 0
    assert answer.out.startswith("sk-keisan-")
    assert "1 gateways do not serve" in answer.aside


def test_developer_may_not_make_keys(command_line: CommandLine) -> None:
    answer = command_line.run("keys", "create", "mine", key=command_line.developer_key)
    assert answer.code == 4


def test_unknown_project_names_those_there_are(command_line: CommandLine) -> None:
    answer = command_line.run("keys", "create", "x", "--project", "nowhere")
    assert (answer.code, answer.aside) == (5, "keisan: there is no project 'nowhere'; there are: default\n")


def test_unknown_key(command_line: CommandLine) -> None:
    assert command_line.run("keys", "revoke", str(uuid4())).code == 5


def test_malformed_id_is_a_usage_fault(command_line: CommandLine) -> None:
    answer = command_line.run("keys", "revoke", "not-an-id")
    assert answer.code == 2
    assert UUID.__name__.lower() in answer.aside.lower()


def test_key_is_bounded_at_creation_and_later(command_line: CommandLine) -> None:
    made = command_line.run(
        "keys", "create", "bounded", "--requests-per-minute", "600", "--policy", " region in JP ", "--json"
    ).told["key"]
    assert (made["limits"]["requests_per_minute"], made["policy"]) == (600, "region in JP")
    limited = command_line.run("keys", "limit", made["id"], "--requests-per-minute", "none", "--calls-open-max", "4")
    assert (limited.code, limited.out) == (0, f"bounded ({made['id']}): 4 calls open\n")
    changed = command_line.run("keys", "policy", made["id"], "advisory none")
    assert (changed.code, changed.out) == (0, f"bounded ({made['id']}): advisory none\n")
    [line] = [line for line in command_line.run("keys", "list").out.splitlines() if "bounded" in line]
    assert "4 calls open" in line
    assert "advisory none" in line
    freed = command_line.run("keys", "policy", made["id"], "none", "--json")
    assert freed.told["policy"] == ""


def test_policy_that_can_never_match_is_refused_with_its_clause(command_line: CommandLine) -> None:
    made = command_line.run("keys", "create", "refused", "--json").told["key"]
    refused = command_line.run("keys", "policy", made["id"], "region in CN; region in JP")
    assert refused.code == command_line.run("keys", "limit", made["id"], "--calls-open-max", "many").code != 0
    assert "'region in JP'" in refused.aside
    assert "Traceback" not in refused.aside
