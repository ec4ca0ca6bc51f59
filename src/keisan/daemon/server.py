"""A server of ours: uvicorn on a bound socket, stopped by an event, with a certificate that is read again when it changes."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import Server as UvicornServer

from keisan.daemon.settings_address import Address
from keisan.domain.errors import SettingsInvalid
from keisan.kit.clock import Clock
from keisan.kit.observe import write_log, write_warning

CERTIFICATE_LOOK_S = 5.0
GRACEFUL_S = 2
# Longer than the clients' own and than a node's period, so that no idle connection is closed just as a request is sent on it.
KEEP_ALIVE_S = 60
CONNECTIONS_WAITING_MAX = 1024


class TlsFiles(Protocol):
    """What settings name for TLS; neither for a server without."""

    @property
    def certificate(self) -> Path | None: ...
    @property
    def certificate_key(self) -> Path | None: ...


def build_config(app: ASGIApp, files: TlsFiles, section: str, connections_max: int | None = None) -> Config:
    """Return how a server of ours answers; `section` is where the settings name its certificate.

    Raises SettingsInvalid for one that it cannot show.
    """
    config = Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        backlog=CONNECTIONS_WAITING_MAX,
        limit_concurrency=connections_max,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACEFUL_S,
        ssl_certfile=files.certificate,
        ssl_keyfile=files.certificate_key,
    )
    try:
        config.load()
    except OSError as fault:
        names = f"{files.certificate} and {files.certificate_key}"
        text = f"{section}: expected a certificate and its key (PEM), got {names}"
        raise SettingsInvalid(text, f"{section}.certificate", str(fault)) from fault
    return config


class Server(UvicornServer):
    """uvicorn on a socket of ours, stopped by an event: the process's signals are not its business."""

    def __init__(
        self,
        config: Config,
        announce: Callable[[str], None] = lambda _url: None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._close = close

    async def answer(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Answer until `stop` is set, and say so once it does."""
        async with asyncio.TaskGroup() as group:
            stopping = group.create_task(self._stop_with(stop))
            await self._serve([listener])
            stopping.cancel()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the listener and announce where it answers."""
        await super().startup(sockets)
        assert sockets is not None
        host, port = sockets[0].getsockname()[:2]
        scheme = "https" if self.config.is_ssl else "http"
        self._announce(f"{scheme}://{Address(host, port)}")

    async def _stop_with(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._close()
        self.should_exit = True

    async def follow_certificate(self, clock: Clock) -> None:
        """Load the certificate again whenever its files change; open connections keep the old one (R11)."""
        context, files = self.config.ssl, (self.config.ssl_certfile, self.config.ssl_keyfile)
        if context is None or files[0] is None or files[1] is None:
            return
        certificate, key = Path(files[0]), Path(files[1])
        seen = _look_at(certificate, key)
        while True:
            await clock.sleep(CERTIFICATE_LOOK_S)
            found = _look_at(certificate, key)
            if found == seen:
                continue
            try:
                context.load_cert_chain(certificate, key)
                seen = found
                write_log("certificate.loaded", path=str(certificate))
            except (OSError, ssl.SSLError) as fault:
                # The two files are replaced one after the other; the next look finds both.
                write_warning("certificate.not_loaded", path=str(certificate), fault=str(fault))


def _look_at(*files: Path) -> list[tuple[int, int, int]] | None:
    """Return what tells files from those before them, as the door does: two may have been written at one time."""
    try:
        return [(stat.st_ino, stat.st_ctime_ns, stat.st_size) for stat in map(Path.stat, files)]
    except FileNotFoundError:
        return None
