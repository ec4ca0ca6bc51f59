"""Building a node's agent and the listener for nodes: secrets that will do, certificates that can be shown, settings that fit."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from keisan.agent.host_book import HostBook
from keisan.agent.node_desk import NodeDesk
from keisan.agent.node_route import build_routes
from keisan.agent.site_link import SiteLink
from keisan.daemon.listener import bind_listener
from keisan.daemon.node import UvicornNodeListener, read_nodes_secret, serve_node
from keisan.daemon.settings import Settings, SiteNodesSettings, load_settings
from keisan.daemon.settings_address import Address
from keisan.domain.errors import PlatformUnreachable, SettingsInvalid
from keisan.domain.key import Secret
from keisan.kit.clock import SystemClock
from tests.agent.many_hosts import OWN_NODE, describe_host
from tests.daemon.certificate import write_certificate


@pytest.fixture
def secret_path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("s" * 32 + "\n")
    return path


def test_secret_is_the_text_of_its_file(secret_path: Path) -> None:
    assert read_nodes_secret(secret_path).reveal() == "s" * 32


@pytest.mark.parametrize(
    "content", [b"", b"short", b"s" * 31, b"with a space " * 4, b"\xff" * 40, "\xe9".encode() * 40]
)
def test_secret_that_will_not_do_is_told_and_not_shown(secret_path: Path, content: bytes) -> None:
    secret_path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="expected a") as caught:
        read_nodes_secret(secret_path)
    assert not content or repr(content)[2:-1] not in str(caught.value)


async def test_node_without_a_secret_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"node.secret_path: expected a file"):
        await serve_node(Settings(data_directory=tmp_path), asyncio.Event())


def find_faults(tmp_path: Path, text: str) -> list[str]:
    config = tmp_path / "keisan.toml"
    config.write_text(text)
    try:
        load_settings({"data_directory": tmp_path}, {}, config)
    except SettingsInvalid as fault:
        return [line.partition(":")[0] for line in fault.outside.splitlines()]
    return []


def test_beyond_this_host_the_listener_needs_a_certificate_or_a_word(tmp_path: Path, secret_path: Path) -> None:
    table = f'[site.nodes]\nsecret_path = "{secret_path}"\nlisten = "0.0.0.0:8070"\n'
    assert find_faults(tmp_path, table) == ["site.nodes"]
    assert find_faults(tmp_path, table + "insecure = true\n") == []
    assert find_faults(tmp_path, table.replace("0.0.0.0", "127.0.0.1")) == []
    assert find_faults(tmp_path, '[site.nodes]\n[node]\nunknown = 1\nsite_url = "x"\n') == [
        "site.nodes.secret_path",
        "node.site_url",
        "node.unknown",
    ]


def test_certificate_that_cannot_be_shown_is_told_before_anything_starts(tmp_path: Path, secret_path: Path) -> None:
    own = SiteNodesSettings(secret_path=secret_path, certificate=secret_path, certificate_key=secret_path)
    listener = bind_listener(Address("127.0.0.1", 0))
    with listener, pytest.raises(SettingsInvalid, match="expected a certificate and its key"):
        UvicornNodeListener(own, listener, SystemClock())


async def test_nodes_come_in_over_tls_and_trust_the_certificate_they_are_given(
    tmp_path: Path, secret_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    own = SiteNodesSettings(secret_path=secret_path, certificate=certificate, certificate_key=key)
    desk = NodeDesk(HostBook(tmp_path / "nodes.json", OWN_NODE), OWN_NODE, SystemClock())
    stop, secret, sender = asyncio.Event(), read_nodes_secret(secret_path), ("n1", UUID(int=1))
    with bind_listener(Address("127.0.0.1", 0)) as listener:
        listening = UvicornNodeListener(own, listener, SystemClock())
        assert listening.url.startswith("https://127.0.0.1:")
        async with asyncio.TaskGroup() as group:
            group.create_task(listening.serve(build_routes(desk, secret), stop))
            async with SiteLink(listening.url, secret, str(certificate), sender) as link:
                assert (await link.report(describe_host("n1", "d1"))).next_report_s > 0
            async with SiteLink(listening.url, Secret("t" * 32), None, sender) as link:
                with pytest.raises(PlatformUnreachable, match="does not answer") as caught:
                    await link.report(describe_host("n1", "d1"))
                assert "certificate" in caught.value.inside.lower()
            stop.set()
    assert [node.hardware_id for node in desk.list_nodes()] == ["n1"]
