"""Providers by name or id."""

from tests.cli.conftest import CommandLine


def test_unknown_provider_names_those_there_are(command_line: CommandLine) -> None:
    with command_line.open_api() as api:
        [provider] = api.get("/providers").json()["items"]
    answer = command_line.run("offers", "make", "nobody", "CNY", "--chip", "nvidia-h20", "--device-hour", "1")
    told = f"keisan: there is no provider 'nobody'; there are: {provider['name']}\n"
    assert (answer.code, answer.aside) == (5, told)
    made = command_line.run(
        "offers", "make", provider["id"], "XTS", "--chip", "nvidia-h20", "--device-hour", "1", "--json"
    )
    assert made.told["provider_id"] == provider["id"]
