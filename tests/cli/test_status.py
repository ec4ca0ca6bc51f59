"""`keisan status`: the platform, its gateways, sites and models, in lines or as one object."""

import httpx

from tests.cli.conftest import CommandLine


def test_lines_name_what_there_is(command_line: CommandLine, connected_gateway: httpx.Client) -> None:
    answer = command_line.run("status")
    assert answer.code == 0
    words = [line.split() for line in answer.out.splitlines()]
    assert words[0][:3] == ["platform", "keisan", command_line.platform_url]
    assert any(line[0] == "gateway" and line[2] == "connected" for line in words)
    assert any(line[:3] == ["site", "local", "JP-13"] for line in words)
    assert any(line[:2] == ["model", "smollm2-135m-instruct"] for line in words)


def test_json_is_one_object(command_line: CommandLine) -> None:
    told = command_line.run("status", "--json").told
    assert set(told) == {"platform", "gateways", "sites", "deployments", "replicas"}
    assert told["platform"]["region"] == "JP-13"
