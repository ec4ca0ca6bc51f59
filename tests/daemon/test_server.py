"""A server of ours follows its certificate, and has nothing to follow without one."""

import asyncio
import os
import ssl
from pathlib import Path

import uvicorn
from cryptography import x509

from keisan.daemon.server import Server
from keisan.kit.clock import SystemClock
from tests.daemon.certificate import write_certificate
from tests.deadline import wait_until_async


class QuickClock(SystemClock):
    """Waits a hundredth of what is asked."""

    async def sleep(self, duration_s: float) -> None:
        await super().sleep(duration_s / 100)


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


def replace_within_a_tick(certificate: Path, key: Path) -> int:
    """Put another certificate in a file's place, at what is the same time by the clock of files; return its serial number."""
    found = (certificate.with_suffix(".new"), key.with_suffix(".new"))
    serial = write_certificate(*found)
    for new, old in zip(found, (certificate, key), strict=True):
        times = old.stat()
        os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
        new.replace(old)
    return serial


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
        third = replace_within_a_tick(certificate, key)
        await wait_until_async(lambda: read_served_serial(context) == third, "it is served though it looks no newer")
        following.cancel()


async def test_without_tls_there_is_nothing_to_follow() -> None:
    config = uvicorn.Config(answer_nothing, log_config=None)
    config.load()
    following = asyncio.create_task(Server(config, lambda url: None, lambda: None).follow_certificate(SystemClock()))
    # It would look for ever if there were something.
    ended, _ = await asyncio.wait({following}, timeout=10)
    following.cancel()
    assert ended == {following}
    following.result()
