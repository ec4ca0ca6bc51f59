"""Compatibility over HTTP: of one chip, or of all."""

from tests.api.stage import Stage


async def test_records_of_one_chip_or_of_all(stage: Stage) -> None:
    every = (await stage.ask("developer", "GET", "/compatibility")).json()["items"]
    assert {line["chip"] for line in every} >= {"kunlunxin-p800", "metax-c550"}
    one = (await stage.ask("developer", "GET", "/compatibility?chip_id=metax-c550")).json()["items"]
    assert one == [line for line in every if line["chip"] == "metax-c550"]
    assert {line["outcome"] for line in one} == {"works"}
    assert (await stage.ask("developer", "GET", "/compatibility?chip_id=x")).json()["items"] == []
