"""Keeps a platform's links connected: listens for children where the settings say so, and dials the parent, again and again."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keisan.control.context import Control
from keisan.control.link_hub import LinkHub
from keisan.control.link_place import load_neighbourhood
from keisan.daemon.link_socket import (
    LinkCredentials,
    SocketChannel,
    build_context,
    dial_link,
    listen_links,
)
from keisan.daemon.platform_identity import PlatformIdentity
from keisan.daemon.settings_address import Address
from keisan.domain.errors import KeisanError, SettingsInvalid, StorageUnavailable
from keisan.domain.limits import LINK_RETRY_S_MAX
from keisan.domain.link import Link
from keisan.federation.certificate import (
    CertificateHolder,
    PlatformCertificate,
    Standing,
    build_authority,
    issue_certificate,
    judge_certificate,
)
from keisan.kit.observe import write_log
from keisan.kit.retry import Backoff

# How often it is looked whether there is a parent to dial.
IDLE_S = 1.0
STOP_S_MAX = 3.0
# Of tries that fail one in so many is logged, the first of them.
SAID_EACH = 40
# Ends of a connection that say nothing against dialling again at once.
LOSSES = frozenset({"lost", "silent", "new_epoch"})
BACKOFF = Backoff(first_s=0.2, most_s=LINK_RETRY_S_MAX)


@dataclass(frozen=True, slots=True)
class LinkService:
    """`folder` is the platform's own; `listen` is None for a platform that takes no children.

    `parent_url` is dialled in place of what the parent tells.
    """

    control: Control
    identity: PlatformIdentity
    folder: Path
    listen: Address | None
    release: str
    parent_url: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Keep links until `stop` is set; raises SettingsInvalid if the address cannot be used."""
        hub = LinkHub(self.control, self.release)
        async with self._take_children(hub), asyncio.TaskGroup() as group:
            group.create_task(hub.watch())
            dial = group.create_task(self._dial_parent(hub, stop))
            await stop.wait()
            hub.stop()
            # What is being written is still committed; whoever waits for a parent that does not answer is not waited for.
            await asyncio.wait([dial], timeout=STOP_S_MAX)
            dial.cancel()

    @asynccontextmanager
    async def _take_children(self, hub: LinkHub) -> AsyncIterator[None]:
        if self.listen is None:
            yield
            return
        keys = self.identity.link.keys.keys

        async def accept(shown: PlatformCertificate, channel: SocketChannel) -> None:
            try:
                if await self._is_expected(shown):
                    await hub.serve(shown.holder.platform_id, channel)
            except StorageUnavailable as fault:
                write_log("link.failed", neighbour_id=shown.holder.platform_id, code=fault.code, text=str(fault))
            finally:
                await channel.close()

        context = build_context(await self._issue_own(), self.folder, is_server=True)
        try:
            async with listen_links(self.listen.host, self.listen.port, context, keys, accept) as port:
                write_log("link.listening", host=self.listen.host, port=port)
                yield
        except OSError as fault:
            raise SettingsInvalid(f"expected a free address for links, got {self.listen}: {fault.strerror}") from fault

    async def _is_expected(self, shown: PlatformCertificate) -> bool:
        """Tell whether a certificate is the one of an open link to a child, and holds now."""
        async with self.control.storage.read() as view:
            link = (await load_neighbourhood(view)).find_neighbour(shown.holder.platform_id)
        if link is None or not link.link_key:
            write_log("link.refused", platform_id=shown.holder.platform_id, code="no_link")
            return False
        standing = judge_certificate(shown, link.link_key, self.control.clock.now())
        if standing is not Standing.GOOD:
            write_log("link.refused", platform_id=shown.holder.platform_id, code=standing)
        return standing is Standing.GOOD

    async def _dial_parent(self, hub: LinkHub, stop: asyncio.Event) -> None:
        attempt, random, wait_s = 0, SystemRandom(), 0.0
        while not await _wait_for(stop, wait_s):
            link = None
            try:
                link = await self._find_parent()
                if link is None:
                    wait_s = IDLE_S
                    continue
                url = self.parent_url or link.link_url
                channel = await dial_link(url, self._build_context(link), link.neighbour_id, link.keys.keys)
                outcome = await hub.serve(link.neighbour_id, channel)
                attempt = 0 if outcome.code in LOSSES else attempt + 1
            except KeisanError as fault:
                attempt += 1
                if link is not None:
                    self.control.link_board.count_closed(link.neighbour_id, fault.code)
                if attempt % SAID_EACH == 1:
                    write_log("link.unreachable", code=fault.code, text=str(fault), attempt=attempt)
            wait_s = BACKOFF.compute_wait_s(max(1, attempt), random)

    async def _find_parent(self) -> Link | None:
        async with self.control.storage.read() as view:
            link = (await load_neighbourhood(view)).parent
        return link if link is not None and link.link_url and link.certificate else None

    def _build_context(self, link: Link) -> ssl.SSLContext:
        credentials = LinkCredentials(link.certificate, self._encode_key(), link.ca, link.keys.keys)
        return build_context(credentials, self.folder, is_server=False)

    async def _issue_own(self) -> LinkCredentials:
        """Return a certificate that the platform issues to itself, for its children to see."""
        identity, now = self.identity.link, self.control.clock.now()
        async with self.control.storage.read() as view:
            own = await view.platform.get()
        holder = CertificateHolder(identity.platform_id, own.region, "", identity.link_key)
        serial = SystemRandom().getrandbits(64) + 1
        certificate = issue_certificate(identity.signer, identity.platform_id, holder, serial, now)
        authority = build_authority(identity.signer, identity.platform_id, serial + 1)
        return LinkCredentials(certificate, self._encode_key(), authority, identity.keys.keys)

    def _encode_key(self) -> str:
        key = self.identity.link_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key.decode()


async def _wait_for(stop: asyncio.Event, wait_s: float) -> bool:
    """Wait so long, or until `stop` is set, and tell whether it is."""
    try:
        await asyncio.wait_for(stop.wait(), wait_s)
    except TimeoutError:
        return False
    return True
