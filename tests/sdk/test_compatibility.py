"""Compatibility through the client."""

from keisan.sdk import AsyncKeisan, Keisan


async def test_list(admin: AsyncKeisan) -> None:
    found = [line async for line in admin.compatibility.list()]
    assert {line.engine for line in found} >= {"FastDeploy", "vllm-ascend"}
    assert [line.chip async for line in admin.compatibility.list("enflame-s60")] == ["enflame-s60"] * 2


def test_blocking_twin(keisan: Keisan) -> None:
    assert list(keisan.compatibility.list())
