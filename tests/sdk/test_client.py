"""The client: waits that end, everything exported, and the synchronous one equal to the asynchronous."""

import inspect

import httpx
import pytest

import keisan.sdk
from keisan.domain.errors import InvalidInput, StateConflict, Unavailable
from keisan.sdk import (
    AsyncKeisan,
    Connections,
    DeploymentCreate,
    DeploymentView,
    Keisan,
    KeyCreate,
    ReplicaView,
)
from keisan.sdk.client import GATEWAY_POLL_S
from tests.api.stage import Stage
from tests.sdk.platform import connect, script


@pytest.mark.parametrize(
    ("urls", "key", "ca_path", "field"),
    [
        (("gopher://x", None), "k", None, "base_url"),
        (("https://x", "nonsense"), "k", None, "gateway_url"),
        (("http://x", None), "k\xe9y", None, "api_key"),
        (("https://x", None), "k", "/nowhere/ca.pem", "ca_path"),
    ],
)
def test_what_no_request_can_be_sent_with_is_named(
    urls: tuple[str, str | None], key: str, ca_path: str | None, field: str
) -> None:
    for kind in (AsyncKeisan, Keisan):
        with pytest.raises(InvalidInput) as caught:
            kind(urls[0], key, gateway_url=urls[1], ca_path=ca_path)
        assert caught.value.field == field


async def test_waits_for_connected_gateways_only(stage: Stage, admin: AsyncKeisan) -> None:
    snapshot = (await stage.ask("gateway", "GET", "/gateway/snapshot")).json()["snapshot"]
    version = snapshot["version"]
    with pytest.raises(Unavailable, match=f"1 gateways do not serve version {version}"):
        await admin.wait_for_gateways(version, timeout_s=1)
    await stage.ask("gateway", "GET", f"/gateway/snapshot?incarnation={snapshot['incarnation']}&version={version}")
    before_s = stage.clock.elapsed_s
    assert (await admin.wait_for_gateways(version)).items[0].acknowledged_version == version
    assert stage.clock.elapsed_s == before_s
    stage.clock.elapsed_s += 3600
    await admin.wait_for_gateways(version + 1, timeout_s=0)
    assert GATEWAY_POLL_S > 0


async def test_waits_for_a_deployment(stage: Stage, admin: AsyncKeisan) -> None:
    told: list[tuple[DeploymentView, list[ReplicaView]]] = []
    ready = await admin.wait_for_deployment(
        stage.ids["deployment"], on_change=lambda deployment, replicas: told.append((deployment, list(replicas)))
    )
    assert ready.id == stage.ids["deployment"]
    assert [[replica.id for replica in replicas] for _, replicas in told] == [[stage.ids["replica"]]]


async def test_wait_for_a_deployment_ends(stage: Stage, admin: AsyncKeisan) -> None:
    created = await admin.deployments.create(DeploymentCreate(model_id=stage.ids["model"]))
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    with pytest.raises(Unavailable, match="no replica has been started"):
        await admin.wait_for_deployment(created.id, timeout_s=2, on_change=count)
    assert calls == 1
    await admin.deployments.delete(created)
    with pytest.raises(StateConflict, match="deleting"):
        await admin.wait_for_deployment(created.id)


async def test_closing_closes_both_connections(stage: Stage) -> None:
    connections = Connections(connect(stage, "admin"), script(lambda _: httpx.Response(200)))
    opened = (connections.platform, connections.gateway)
    async with AsyncKeisan.over(connections):
        assert [http.is_closed for http in opened if http] == [False, False]
    assert [http.is_closed for http in opened if http] == [True, True]


async def test_opened_by_urls() -> None:
    async with AsyncKeisan("http://a.test", "k", gateway_url="http://b.test") as client:
        assert client.gateways is not None


def test_synchronous_client_walks_the_same_way(keisan: Keisan) -> None:
    with keisan:
        project = next(iter(keisan.projects.list()))
        created = keisan.keys.create(KeyCreate(name="new", project_id=project.id))
        assert created.secret.startswith("sk-keisan-")
        assert keisan.platform.get().snapshot_version == created.snapshot_version
        assert keisan.keys.revoke(created.key.id).key.revoked_at is not None
        assert "new" in [key.name for key in keisan.keys.list()]
        assert keisan.wait_for_gateways(0).snapshot_version > created.snapshot_version
    keisan.close()
    with pytest.raises(StateConflict):
        keisan.platform.get()


def list_methods(thing: object) -> set[str]:
    return {
        name for name in dir(thing) if not name.startswith("_") and callable(getattr(thing, name)) and name != "over"
    }


def test_synchronous_client_has_all_that_the_asynchronous_has() -> None:
    asynchronous, synchronous = AsyncKeisan("http://a.test"), Keisan("http://a.test")
    assert list_methods(AsyncKeisan) == list_methods(Keisan)
    nouns = {name for name, value in vars(asynchronous).items() if not name.startswith("_") and value}
    assert len(nouns) > 40, "they are found"
    for noun in nouns:
        assert list_methods(getattr(asynchronous, noun)) == list_methods(getattr(synchronous, noun)), noun
    synchronous.close()


def test_everything_exported_is_there_and_explained() -> None:
    assert len(set(keisan.sdk.__all__)) == len(keisan.sdk.__all__)
    for name in keisan.sdk.__all__:
        assert inspect.getdoc(getattr(keisan.sdk, name)), name


def test_every_public_method_is_explained() -> None:
    for client in (AsyncKeisan("http://a.test"), Keisan("http://a.test")):
        for noun in [value for name, value in vars(client).items() if not name.startswith("_")]:
            for method in list_methods(noun):
                assert inspect.getdoc(getattr(noun, method)), (noun, method)
