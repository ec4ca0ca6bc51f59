"""The certificate by which other platforms' gateways know this one: its key is made here and stays here, the rest is given.

The relay reads the files again when they change, so a gateway that runs is joined without a restart.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec

from keisan.domain.errors import KeisanError
from keisan.gateway.link import PlatformLink
from keisan.gateway.snapshot_feed import SnapshotFeed
from keisan.kit.clock import Clock, to_milliseconds
from keisan.kit.observe import write_log, write_warning
from keisan.kit.private_file import create_private_folder, write_private_file
from keisan.kit.retry import Backoff
from keisan.wire.gateway_certificate import GatewayCertificateAsk, GatewayCertificateView

KEY_FILE, CERTIFICATE_FILE, AUTHORITIES_FILE, STATE_FILE = "key.pem", "certificate.pem", "authorities.pem", "state.json"
LOOK_S = 0.5
# So often it is asked whether what is here still holds: an authority may have a newer key.
ASK_PERIOD_S = 6 * 3600


class CertificateState(msgspec.Struct, frozen=True):
    """By whom the certificate was issued (None: this platform itself), and when to ask again."""

    parent_id: str | None
    renew_at_ms: int


@dataclass(slots=True)
class CertificateKeeper:
    """Keeps what is in `folder` (0700) current."""

    link: PlatformLink
    feed: SnapshotFeed
    clock: Clock
    folder: Path
    backoff: Backoff = field(default_factory=lambda: Backoff(most_s=30.0))
    random: Random = field(default_factory=Random)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        attempt = 0
        while True:
            pause_s = LOOK_S
            try:
                await self.step()
                attempt = 0
            except (KeisanError, OSError) as fault:
                attempt += 1
                pause_s = self.backoff.compute_wait_s(attempt, self.random)
                write_warning("certificate.not_given", fault=str(fault)[:500], retry_s=round(pause_s, 1))
            await self.clock.sleep(pause_s)

    async def step(self) -> None:
        """Ask for a certificate if one is due; raises KeisanError or OSError, and then the files stay as they are."""
        neighbours = {} if self.feed.current is None else self.feed.current.tables.neighbours
        if not neighbours:
            return
        parent_id = next((each for each, row in neighbours.items() if row.side == "parent"), None)
        state = self._read_state()
        is_due = state is None or state.parent_id != parent_id
        if not is_due and state is not None and to_milliseconds(self.clock.now()) < state.renew_at_ms:
            return
        create_private_folder(self.folder)
        # The library of keys is only loaded where it is used: most starts do not need it.
        public_key = await asyncio.to_thread(self._ensure_key)
        given = await self.link.certify(GatewayCertificateAsk(public_key=public_key, certificate=self._read_kept()))
        await asyncio.to_thread(self._keep, given)

    def _keep(self, given: GatewayCertificateView) -> None:
        if given.authorities:
            write_private_file(self.folder / AUTHORITIES_FILE, given.authorities.encode())
        if given.certificate != self._read_kept():
            write_private_file(self.folder / CERTIFICATE_FILE, given.certificate.encode())
            write_log("certificate.given", parent_id=given.parent_id, renew_at_ms=given.renew_at_ms)
        next_ms = to_milliseconds(self.clock.now()) + ASK_PERIOD_S * 1000
        state = CertificateState(given.parent_id, min(given.renew_at_ms, next_ms))
        # Last, so that after a crash between these it is asked again.
        write_private_file(self.folder / STATE_FILE, msgspec.json.encode(state))

    def _read_state(self) -> CertificateState | None:
        try:
            return msgspec.json.decode((self.folder / STATE_FILE).read_bytes(), type=CertificateState)
        except (OSError, msgspec.MsgspecError):
            return None

    def _read_kept(self) -> str:
        """Return the certificate that is here, empty without one, and where there is nobody to believe yet."""
        try:
            has_authorities = (self.folder / AUTHORITIES_FILE).exists()
            return (self.folder / CERTIFICATE_FILE).read_text() if has_authorities else ""
        except (OSError, UnicodeError):
            return ""

    def _ensure_key(self) -> str:
        """Return the public key in hex, of a key that is made if there is none."""
        # Decision 0069: a start loads what it needs, and most gateways of one that has its key need none of this.
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        # For the same reason: it comes with the key's module.
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            PublicFormat,
            load_pem_private_key,
        )

        path = self.folder / KEY_FILE
        if not path.exists():
            made = Ed25519PrivateKey.generate()
            write_private_file(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key = load_pem_private_key(path.read_bytes(), password=None)
        return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
