"""What is printed of a nation names each platform and no secret."""

import json
from pathlib import Path

from keisan.daemon.nation import Nation, NationStep, run_nation
from keisan.daemon.nation_view import format_json, format_text
from tests.daemon.nation_stage import build_request, give_identities, list_addresses


async def test_each_platform_is_told_in_both_forms(tmp_path: Path) -> None:
    told: list[str] = []

    async def look(nation: Nation) -> None:
        give_identities(nation, list_addresses(3))
        told.extend((format_json(nation), format_text(nation)))
        nation.national.supervisor.stopping.set()

    await run_nation(build_request(tmp_path, NationStep("looking", look)))
    said = json.loads(told[0])
    assert said["data_directory"] == str(tmp_path)
    assert [(each["code"], each["kind"], each["gateway_url"]) for each in said["platforms"]] == [
        ("CN", "national", "http://127.0.0.1:2"),
        ("CN-SX", "regional", "http://127.0.0.1:4"),
        ("CN-LN", "regional", "http://127.0.0.1:6"),
    ]
    assert [each["model"] is not None for each in said["platforms"]] == [False, True, True]
    assert len({each["id"] for each in said["platforms"]}) == 3
    for each in said["platforms"]:
        [line] = [line for line in told[1].splitlines() if each["gateway_url"] + "/v1" in line]
        assert (each["id"][:12] in line, each["name"] in line, each["platform_url"] in line) == (True, True, True)
    assert not [text for text in told if "sk-keisan" in text]
    # The commands are for one that answers.
    assert f"keisan chat --data {tmp_path / 'CN-SX'}" in told[1]
