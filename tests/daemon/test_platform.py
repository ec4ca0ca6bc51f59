"""Building the platform: the storage that is named, the certificate followed, its end quick although gateways wait."""

import asyncio
import ssl
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509

from keisan.control.context import Control
from keisan.daemon.folder import DataFolder
from keisan.daemon.operator_file import OperatorFile, note_gateway, write_operator
from keisan.daemon.platform import (
    Server,
    build_deliverers,
    build_gateway_finder,
    build_long_loop,
    build_loop,
    build_serving_loop,
    open_storage,
)
from keisan.daemon.settings import ChallengeSettings, PlatformSettings
from keisan.domain.ids import hash_public_key
from keisan.domain.lease import WorkNoun
from keisan.domain.limits import DELIVERIES_OPEN_MAX
from keisan.kit.clock import SystemClock
from keisan.kit.http import HttpTarget
from keisan.storage.archive_folder import ArchiveFolder
from keisan.storage.postgresql import open_postgresql
from keisan.storage.sqlite import open_sqlite
from tests.daemon.certificate import write_certificate
from tests.deadline import wait_until_async


class QuickClock(SystemClock):
    """Waits a hundredth of what is asked."""

    async def sleep(self, duration_s: float) -> None:
        await super().sleep(duration_s / 100)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, "sqlite"),
        ("sqlite:///{folder}/other.db", "sqlite"),
        ("postgresql+asyncpg://someone@127.0.0.1:1/keisan", "postgresql"),
    ],
)
async def test_storage_is_the_named_one(tmp_path: Path, url: str | None, expected: str) -> None:
    own = PlatformSettings(database_url=url.format(folder=tmp_path) if url else None)
    storage = open_storage(own, tmp_path, SystemClock())
    alike = {
        "sqlite": open_sqlite(tmp_path / "alike.db", SystemClock()),
        "postgresql": open_postgresql("postgresql+asyncpg://someone@127.0.0.1:1/keisan", SystemClock()),
    }
    assert type(storage) is type(alike[expected])
    assert (tmp_path / "keisan.db").exists() == (url is None)
    for opened in (storage, *alike.values()):
        await opened.close()


async def test_each_noun_has_its_loop_and_no_other(tmp_path: Path) -> None:
    """A noun that no loop takes would wait for ever."""
    storage = open_sqlite(tmp_path / "keisan.db", SystemClock())
    control = Control(
        storage, SystemClock(), hash_public_key(b"\x07" * 32), archive=ArchiveFolder(tmp_path, SystemClock())
    )
    within, deliverers = build_loop(PlatformSettings(), control), build_deliverers(control)
    assert len(deliverers) == DELIVERIES_OPEN_MAX
    for deliverer in deliverers:
        assert set(deliverer.reconcilers) == {WorkNoun.WEBHOOK}
    long = build_long_loop(PlatformSettings(), control)
    assert set(long.reconcilers) == {WorkNoun.CLOSING, WorkNoun.RETENTION_DAY}
    serving = build_serving_loop(control)
    assert set(serving.reconcilers) == {WorkNoun.SERVING_CHALLENGE}
    assert serving.leases_max == 1
    assert set(within.reconcilers) == set(WorkNoun) - {WorkNoun.WEBHOOK, *long.reconcilers, *serving.reconcilers}
    await storage.close()


def test_gateway_is_the_named_one_or_else_the_one_beside_the_platform(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    find_gateway = build_gateway_finder(ChallengeSettings(), folder)
    assert find_gateway() is None
    write_operator(folder.operator_path, OperatorFile("sk-keisan-x", ca_path="/ca.pem"))
    assert find_gateway() is None
    note_gateway(folder.operator_path, "http://127.0.0.1:8000")
    # The operator's key stays where it is: a challenge has a key of its own.
    assert find_gateway() == HttpTarget("http://127.0.0.1:8000", ca_path="/ca.pem")
    named = build_gateway_finder(ChallengeSettings(gateway_url="https://gateway.example"), folder)
    assert named() == HttpTarget("https://gateway.example")


async def answer_nothing(scope: object, receive: object, send: object) -> None:
    pass


def read_served_serial(context: ssl.SSLContext) -> int:
    """Return the serial number that a client sees in a handshake over memory."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = trusting.wrap_bio(to_client, to_server)
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    peer = client.getpeercert(binary_form=True)
    assert peer is not None
    return x509.load_der_x509_certificate(peer).serial_number


async def test_certificate_is_loaded_again_when_it_changes(tmp_path: Path) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    first = write_certificate(certificate, key)
    config = uvicorn.Config(answer_nothing, ssl_certfile=certificate, ssl_keyfile=key, log_config=None)
    config.load()
    assert config.ssl is not None
    context = config.ssl
    server = Server(config, lambda url: None, lambda: None)
    assert read_served_serial(context) == first
    async with asyncio.TaskGroup() as group:
        following = group.create_task(server.follow_certificate(QuickClock()))
        await asyncio.sleep(0)
        key.write_text("half of a write")
        second = write_certificate(certificate, key)
        await wait_until_async(lambda: read_served_serial(context) == second, "the new one is served")
        following.cancel()


async def test_without_tls_there_is_nothing_to_follow() -> None:
    config = uvicorn.Config(answer_nothing, log_config=None)
    config.load()
    # It would look for ever if there were something.
    async with asyncio.timeout(1):
        await Server(config, lambda url: None, lambda: None).follow_certificate(SystemClock())
