"""Two platforms that are joined by a real link: a database and keys each, certificates, WebSocket over mutual TLS on this host."""

import ssl
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keisan.daemon.link_service import LinkService
from keisan.daemon.link_socket import LinkCredentials, build_context
from keisan.daemon.platform_identity import PlatformIdentity, ensure_identity
from keisan.daemon.settings_address import Address
from keisan.domain.access import PlatformScope
from keisan.domain.link import OPEN_STATES, Link
from keisan.federation.certificate import CertificateHolder, build_authority, issue_certificate
from keisan.kit.clock import SystemClock
from keisan.storage.sqlite import open_sqlite
from stage.town import build_town, found_town, join_parent, migrate_template, take_in
from tests.control.town import Town

HOST = "127.0.0.1"
PARENT, CHILD, REGION = "parent", "child", "CN-SX"
EVERYTHING = PlatformScope()


@dataclass(frozen=True, slots=True)
class Side:
    """One platform of the two, in its folder."""

    town: Town
    identity: PlatformIdentity
    folder: Path

    def build_service(self, listen: Address | None = None) -> LinkService:
        """Return what keeps its link, as a platform's process does."""
        return LinkService(self.town.control, self.identity, self.folder, listen, "bench")

    async def get_link(self) -> Link:
        """Return its link."""
        async with self.town.storage.read() as view:
            (link,) = await view.links.list_states(EVERYTHING, OPEN_STATES)
        return link

    async def update_link(self, **changes: object) -> None:
        """Note what an approval says of the link."""
        link = await self.get_link()
        async with self.town.storage.write() as transaction:
            await transaction.links.update(replace(link, version=link.version + 1, **changes))  # type: ignore[arg-type]  # of the case

    def issue(self, holder: CertificateHolder, serial: int) -> str:
        """Return a certificate of this platform's own authority."""
        link = self.identity.link
        return issue_certificate(link.signer, link.platform_id, holder, serial, self.town.control.clock.now())

    @property
    def authority(self) -> str:
        """Return the certificate of its authority."""
        return build_authority(self.identity.link.signer, self.identity.link.platform_id, 8)

    def build_context(
        self, certificate: str, believed: str, keys: tuple[bytes, ...], *, is_server: bool
    ) -> ssl.SSLContext:
        """Return the TLS of its connections."""
        key = self.identity.link_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return build_context(LinkCredentials(certificate, key, believed, keys), self.folder, is_server=is_server)


async def build_pair(folder: Path, port: int) -> tuple[Side, Side]:
    """Return a parent, which is to listen at a port, and its child, approved and certified."""
    template = await migrate_template(folder / "template.db")
    sides = []
    for name in (PARENT, CHILD):
        own = _make_folder(folder, name)
        (own / "keisan.db").write_bytes(template.read_bytes())
        identity = ensure_identity(own / "platform.pem")
        town = await found_town(open_sqlite(own / "keisan.db", SystemClock()), name, identity.link)
        sides.append(Side(town, identity, own))
    parent, child = sides
    await take_in(parent.town, child.town, REGION)
    await join_parent(child.town, parent.town)
    link_key = child.identity.link.link_key
    certificate = parent.issue(CertificateHolder(child.town.id, REGION, CHILD, link_key), 7)
    await parent.update_link(certificate=certificate, link_key=link_key)
    await child.update_link(certificate=certificate, ca=parent.authority, link_url=f"wss://{HOST}:{port}")
    return parent, child


def open_side(folder: Path, name: str) -> Side:
    """Return a platform of a pair that was built before, by another process."""
    own = folder / name
    identity = ensure_identity(own / "platform.pem")
    return Side(build_town(open_sqlite(own / "keisan.db", SystemClock()), name, identity.link), identity, own)


def _make_folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name
